/** Feature networks from the text of a flag: `mixed5`, `mixed5?size=149`, `clip=encoder.onnx`, `net.onnx?size=224&range=[-1,1]`. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { importOnnx } from '../engine/onnx/import-model.ts';
import type { Runtime } from '../engine/runtime.ts';
import { ConfigError, DataError } from '../errors.ts';
import type { FeatureNetwork, ImageShape } from '../metrics/features/feature-network.ts';
import { type FeaturePreset, featurePresets } from '../metrics/features/feature-presets.ts';
import { type ImagePreparation, rangeNames } from '../metrics/features/image-preparation.ts';
import { type OnnxFeatureOptions, onnxFeatures, poolings } from '../metrics/features/onnx-features.ts';
import { type PackagedNetworkOptions, packagedNetwork } from '../metrics/features/packaged-network.ts';
import { pixelFeatures } from '../metrics/features/pixel-features.ts';
import { resizeKinds } from '../metrics/features/resize.ts';
import { nearestName } from './nearest-name.ts';

const where = 'experiments/open-features';

/** How the file of a network is found. */
export interface FileOptions extends PackagedNetworkOptions {
  /** Is told what a person should know: what is fetched, warnings of a preset. */
  readonly note?: (text: string) => void;
  /** Names that the caller knows besides these, for the message where a text is none. */
  readonly others?: readonly string[];
}

export interface OpenFeatureOptions extends FileOptions {
  readonly runtime: Runtime;
  /** [channels, height, width] of the images, which features `pixels` need. */
  readonly shape: ImageShape;
  /** Images of one run. Default: 32. */
  readonly batch?: number;
}

/** What a file is taken for where nothing else is said: colours in [0, 1], PyTorch's resizing. */
const plain: FeaturePreset = {
  source: { file: 'an ONNX file', known: [] },
  preparation: { size: [0, 0], resize: 'bilinear', range: '[0,1]', channels: 'rgb' },
  pooling: 'none',
};

type Settings = Readonly<Record<string, string>>;

/** Parts of the text: a preset, a file, and settings. */
function parsed(text: string, others: readonly string[]) {
  const [head, query = ''] = text.split(/\?(.*)/s);
  const settings: Settings = Object.fromEntries(new URLSearchParams(query));
  const [name, path = null] = head!.split(/=(.*)/s);
  if (Object.hasOwn(presets, name!)) return { preset: presets[name!]!, name: name!, path, settings };
  if (head!.endsWith('.onnx'))
    return { preset: plain, name: head!.replace(/^.*[\\/]/, '').slice(0, -5), path: head!, settings };
  const names = [...others, 'pixels', ...Object.keys(presets)];
  const near = nearestName(name!, names);
  throw new ConfigError({
    expected: `features to be ${names.join(', ')}, a preset=file.onnx or a file.onnx`,
    got: `"${text}"`,
    where,
    ...(near === null ? {} : { remedy: `\`${near}\`` }),
  });
}

const presets: Readonly<Record<string, FeaturePreset>> = featurePresets;

function choice<T extends string>(settings: Settings, key: string, allowed: readonly T[]): T | null {
  const given = settings[key];
  if (given === undefined) return null;
  const found = allowed.find((one) => one === given);
  if (found !== undefined) return found;
  throw new ConfigError({ expected: `\`${key}\` to be ${allowed.join(', ')}`, got: `"${given}"`, where });
}

const settingNames = ['size', 'resize', 'range', 'channels', 'layer', 'pooling', 'classes'] as const;

function checkSettings(settings: Settings): void {
  const known: readonly string[] = settingNames;
  const foreign = Object.keys(settings).find((key) => !known.includes(key));
  if (foreign === undefined) return;
  throw new ConfigError({ expected: `settings ${settingNames.join(', ')}`, got: `"${foreign}"`, where });
}

/** Height and width: from the settings, the preset, or the file if it fixes them. @throws ConfigError if nothing says them. */
function sizeOf(given: string | undefined, preset: FeaturePreset, file: Uint8Array): ImagePreparation['size'] {
  if (given !== undefined) {
    const [height, width = height] = given.split('x').map(Number);
    return [height!, width!];
  }
  if (preset !== plain) return preset.preparation.size;
  const shape = importOnnx(file).inputs[0]?.shape ?? [];
  const fixed = (shape[1] === 3 ? shape.slice(2) : shape.slice(1, 3)).map(Number);
  if (fixed.length === 2 && fixed.every((n) => n > 0)) return [fixed[0]!, fixed[1]!];
  throw new ConfigError({
    expected: 'a size of images, which the file leaves open',
    got: 'none',
    where,
    remedy: '`file.onnx?size=224`',
  });
}

/** Scores of classes: a layer by its name, or the second output of a preset that has one. */
function classesOf(settings: Settings, preset: FeaturePreset, file: Uint8Array): OnnxFeatureOptions['classes'] {
  if (settings.classes !== undefined) return { layer: settings.classes, softmax: true };
  const second = preset.classifies === true ? importOnnx(file).outputs[1] : undefined;
  return second === undefined ? null : { layer: second.name, softmax: true };
}

async function fileOf(name: string, path: string | null, preset: FeaturePreset, options: FileOptions) {
  if ('packaged' in preset.source && path === null) {
    return { bytes: await packagedNetwork(name, preset.source.packaged, options), name };
  }
  if (path === null) {
    const expected = 'file' in preset.source ? preset.source.file : 'a file';
    throw new ConfigError({
      expected,
      got: `no file for features \`${name}\``,
      where,
      remedy: `\`${name}=path.onnx\``,
    });
  }
  const bytes = await readFile(path).catch((cause: unknown) => {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new DataError({ expected: `\`${path}\` to be a readable ONNX file`, got, where, cause });
  });
  return { bytes, name: preset === plain ? name : await checkedName(name, bytes, preset, options) };
}

/** The preset's name in conventions. A file is not called the reference unless its hash is known to be the reference's. */
async function checkedName(name: string, bytes: Uint8Array, { source }: FeaturePreset, options: FileOptions) {
  const known: readonly string[] = 'known' in source ? source.known : [source.packaged.sha256];
  const found = createHash('sha256').update(bytes).digest('hex');
  if (known.includes(found)) return name;
  if (known.length > 0) {
    const expected = `features \`${name}\` to be a file with SHA-256 ${known.join(' or ')}`;
    throw new DataError({
      expected,
      got: found,
      where,
      remedy: 'the file by itself, `path.onnx?size=...`, under its own name',
    });
  }
  options.note?.(
    `No hash of a reference file is published for features \`${name}\`: conventions call the file unverified.`,
  );
  return `${name} (unverified file)`;
}

/** The file of a network and how images come to it. */
export interface NetworkFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly preparation: ImagePreparation;
}

interface ParsedFile extends NetworkFile {
  readonly preset: FeaturePreset;
  readonly settings: Settings;
}

async function openFile(text: string, options: FileOptions): Promise<ParsedFile> {
  const { preset, name, path, settings } = parsed(text, options.others ?? []);
  checkSettings(settings);
  const file = await fileOf(name, path, preset, options);
  if (preset.warning !== undefined) options.note?.(preset.warning);
  const { preparation } = preset;
  return {
    ...file,
    preset,
    settings,
    preparation: {
      size: sizeOf(settings.size, preset, file.bytes),
      resize: choice(settings, 'resize', resizeKinds) ?? preparation.resize,
      range: choice(settings, 'range', rangeNames) ?? preparation.range,
      channels: choice(settings, 'channels', ['rgb', 'bgr']) ?? preparation.channels,
    },
  };
}

/**
 * The network behind the features that a text names, for losses by its layers.
 * @throws ConfigError or DataError as `openFeatureNetwork`.
 */
export async function openNetworkFile(text: string, options: FileOptions): Promise<NetworkFile> {
  const { name, bytes, preparation } = await openFile(text, options);
  return { name, bytes, preparation };
}

/**
 * The features that a text names.
 * @throws ConfigError for names and settings that are not known; DataError if a file cannot be read, fetched or imported, or is not the
 *   one that a preset stands for.
 */
export async function openFeatureNetwork(text: string, options: OpenFeatureOptions): Promise<FeatureNetwork> {
  if (text === 'pixels') return pixelFeatures(options.shape);
  const { name, bytes, preparation, preset, settings } = await openFile(text, options);
  return onnxFeatures(options.runtime, {
    name,
    file: bytes,
    preparation,
    layer: settings.layer ?? null,
    pooling: choice(settings, 'pooling', poolings) ?? preset.pooling,
    classes: classesOf(settings, preset, bytes) ?? null,
    ...(options.batch === undefined ? {} : { batch: options.batch }),
  });
}
