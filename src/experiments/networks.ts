/** The networks of the papers by name: what a config says of the model, and the samples that the paper gives it. */
import { admUnetOptions, admUnets } from '../models/adm-unet.ts';
import { ditPatches, ditSizes } from '../models/dit.ts';
import { songUnets } from '../models/song-unet.ts';
import type { ModelFacts } from './build.ts';
import type { RunConfig, RunConfigInput } from './config.ts';
import { modelSection } from './schema/model-section.ts';

/** A network on the samples of its paper. */
export interface NamedNetwork extends ModelFacts {
  readonly model: RunConfigInput['model'];
}

/** Classes of ImageNet. */
const IMAGENET = 1000;

/** `DiT-S/2` to `DiT-XL/8` [peebles:23]: on the latents of 256 x 256 pixels, with the channels for variances that the paper counts. */
function ditNetworks(): [string, NamedNetwork][] {
  return (Object.keys(ditSizes) as (keyof typeof ditSizes)[]).flatMap((size) =>
    ditPatches.map((patch): [string, NamedNetwork] => [
      `DiT-${size}/${patch}`,
      { model: { kind: 'dit', size, patch, labels: true, variances: true }, shape: [4, 32, 32], classes: IMAGENET },
    ]),
  );
}

/** @param classes  `null` for none. */
function admNetwork(name: keyof typeof admUnets, classes: number | null): NamedNetwork {
  const options = admUnetOptions({ ...admUnets[name], classes });
  const { shape, channels, blocks, attention, headChannels, conditioning, resample } = options;
  const sizes = { channels, blocks, attention, headChannels, conditioning, resample };
  return { model: { kind: 'unet', labels: classes !== null, ...sizes }, shape, classes };
}

function songNetwork(name: keyof typeof songUnets, classes: number | null): NamedNetwork {
  const { shape, ...options } = songUnets[name];
  return { model: { kind: 'song-unet', labels: classes !== null, ...options }, shape, classes };
}

/** Networks by name; `ADM-` and `DDPM++-` are followed by the data of [davtyan:25], table 4, and of [matityahu:24], table 6. */
export const networks: Readonly<Record<string, NamedNetwork>> = {
  ...Object.fromEntries(ditNetworks()),
  'ADM-cifar10': admNetwork('cifar10', null),
  'ADM-imagenet32': admNetwork('imagenet32', null),
  'ADM-imagenet64': admNetwork('imagenet64', null),
  'ADM-ffhq256': admNetwork('ffhq256', null),
  'ADM-imagenet64-guided': admNetwork('imagenet64-guided', IMAGENET),
  'DDPM++-cifar10': songNetwork('cifar10', null),
  'DDPM++-cifar10-labels': songNetwork('cifar10', 10),
  'DDPM++-afhq64': songNetwork('afhq64', null),
};

/** The network of a name, its model complete; `null` if there is none. */
export function networkNamed(name: string): (ModelFacts & { readonly model: RunConfig['model'] }) | null {
  if (!Object.hasOwn(networks, name)) return null;
  const network = networks[name];
  return { ...network, model: modelSection.parse(network.model) };
}
