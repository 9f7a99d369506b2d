/** Networks whose features are known by name. What others measured with them is comparable only where all of this is equal. */
import type { ImagePreparation } from './image-preparation.ts';
import type { Pooling } from './onnx-features.ts';
import type { PackagedNetwork } from './packaged-network.ts';

/** Where a network comes from: an npm package, or a file that the user has. */
export type PresetSource =
  | { readonly packaged: PackagedNetwork }
  | {
      /** What the file must hold, for messages. */
      readonly file: string;
      /** SHA-256 of files that are known to be the reference; empty where none is published for ONNX files. */
      readonly known: readonly string[];
    };

export interface FeaturePreset {
  readonly source: PresetSource;
  readonly preparation: ImagePreparation;
  readonly pooling: Pooling;
  /** Whether a second output of the file holds scores of classes. */
  readonly classifies?: boolean;
  /** What a reader of the numbers must know. */
  readonly warning?: string;
}

/** Means and deviations of ImageNet's images. */
const imageNet = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] } as const;
/** Means and deviations of CLIP's training images. */
const clip = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  deviation: [0.26862954, 0.26130258, 0.27577711],
} as const;

/**
 * - `mixed5`: Inception v3 of nsfwjs 4.4.0 (MIT), 8-bit weights, cut at `mixed5`, 768 numbers. Not the network of the Fréchet Inception
 *   distance, so that distances are not called FID.
 * - `face`: faceres of @vladmandic/human 3.3.6, 1024 numbers that tell faces apart.
 * - `inception-2015`: the network of the Fréchet Inception distance [heusel:17], images as [szegedy:16]'s graph takes them.
 * - `clip`, `dinov2`: image encoders [radford:21], [oquab:24]. Images are resized to the square, not cropped.
 * - `arcface`: insightface's w600k_r50 [deng:19], for aligned faces; 512 numbers.
 */
export const featurePresets = {
  mixed5: {
    source: {
      packaged: {
        package: {
          name: 'nsfwjs',
          version: '4.4.0',
          integrity: 'sha512-krC1fgeTLXtZwgdpKJ0jm7hqv0gTSRQQRL+FhOaxaJ9Wj92t42BO3csO2odwgTAgZgf2RvkwPtp0R8Aa7dc+MA==',
        },
        model: 'dist/models/inception_v3/model.min.js',
        weightSuffix: '.min.js',
        output: 'mixed5',
        sha256: '573579fe4d466304179d5a904d7087a7abbd455803be3b0e56f6d94a9b9bd184',
      },
    },
    preparation: { size: [299, 299], resize: 'tf1-bilinear', range: '[0,1]', channels: 'rgb' },
    pooling: 'mean',
  },
  face: {
    source: {
      packaged: {
        package: {
          name: '@vladmandic/human',
          version: '3.3.6',
          integrity: 'sha512-Nr5mPfq1gQ+uKeXY5uM3Fj8UxvF5CEh2s6txM5wRThqaW0mF9huooOuZSrT8hhGho0hGaXLFdAwfD/2+teCv6A==',
        },
        model: 'models/faceres.json',
        weightSuffix: '',
        output: 'global_pooling/Mean',
        sha256: '9b87b4ec6e15236244b700c1734206900b745f4f2f4613a8f6576e71da3d67a5',
      },
    },
    preparation: { size: [224, 224], resize: 'bilinear', range: '[0,255]', channels: 'rgb' },
    pooling: 'none',
    warning:
      'Features `face` are those of faceres in @vladmandic/human: the package is MIT, the licence of the weights upstream (HSE_FaceRec_tf) ' +
      'was not checked. They told people apart in a small test only (22 faces): no claim of identity rests on them.',
  },
  'inception-2015': {
    source: {
      file: 'an ONNX file of the 2015 Inception graph: input after resizing, first output pool_3 (2048), second, if any, its 1008 scores',
      known: [],
    },
    preparation: { size: [299, 299], resize: 'tf1-bilinear', range: '(p-128)/128', channels: 'rgb' },
    pooling: 'none',
    classifies: true,
  },
  clip: {
    source: { file: "an ONNX file of CLIP's image encoder, first output the image embedding", known: [] },
    preparation: { size: [224, 224], resize: 'bicubic', range: clip, channels: 'rgb' },
    pooling: 'none',
  },
  dinov2: {
    source: { file: 'an ONNX file of DINOv2, first output the tokens, class first, or the class token', known: [] },
    preparation: { size: [224, 224], resize: 'bicubic', range: imageNet, channels: 'rgb' },
    pooling: 'first',
  },
  arcface: {
    source: {
      file: 'w600k_r50.onnx of insightface (buffalo_l), whose weights are for research that is not commercial',
      known: ['4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43'],
    },
    preparation: { size: [112, 112], resize: 'bilinear', range: '[-1,1]', channels: 'rgb' },
    pooling: 'none',
  },
} as const satisfies Readonly<Record<string, FeaturePreset>>;

export type FeaturePresetName = keyof typeof featurePresets;
