/** The JSON files of TensorFlow.js models, as far as the conversion reads them. */

/** How a weight's integers become numbers: value = integer x scale + min, or float16 patterns. */
export interface WeightQuantization {
  readonly dtype: 'uint8' | 'uint16' | 'float16';
  readonly min?: number;
  readonly scale?: number;
}

/** One weight; its bytes follow those of the weights before it. */
export interface WeightEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: WeightQuantization;
}

/** Weights that lie one after the other in some files. */
export interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: readonly WeightEntry[];
}

/** One layer of Keras. */
export interface KerasLayer {
  readonly name: string;
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** One list of [layer, node, output, arguments] for each time the layer is called. */
  readonly inbound_nodes: readonly (readonly (readonly [string, ...unknown[]])[])[];
}

/** An attribute of a TensorFlow node; which key is present says its type. Bytes are base64, integers decimal strings or numbers. */
export interface NodeAttribute {
  readonly i?: string | number;
  readonly f?: number;
  readonly b?: boolean;
  readonly s?: string;
  readonly list?: { readonly i?: readonly (string | number)[]; readonly s?: readonly string[] };
  readonly shape?: { readonly dim?: readonly { readonly size: string | number }[] };
}

/** One node of a TensorFlow graph. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, NodeAttribute>>;
}

/** A layers-model: the layers of Keras by themselves or under `model_config`. */
export interface LayersTopology {
  readonly class_name?: string;
  readonly model_config?: { readonly class_name: string; readonly config: LayersConfig | readonly KerasLayer[] };
}

export interface LayersConfig {
  readonly layers: readonly KerasLayer[];
  readonly output_layers: readonly (readonly [string, ...unknown[]])[];
}

/** A graph-model. */
export interface GraphTopology {
  readonly node: readonly GraphNode[];
}

/** What `model.json` holds. */
export interface TfjsModel {
  readonly modelTopology: LayersTopology | GraphTopology;
  readonly weightsManifest: readonly WeightGroup[];
  readonly signature?: { readonly outputs?: Readonly<Record<string, { readonly name: string }>> };
}
