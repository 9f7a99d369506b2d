/** All presets by name. */
import type { AutoencoderConfigInput } from '../autoencoder-config.ts';
import type { RunConfigInput } from '../config.ts';
import type { StagesConfigInput } from '../stages-config.ts';
import { celebaHqVq, ffhqVq, imagenetKl, imagenetVq } from './autoencoders-256.ts';
import { cifar10Loom } from './cifar10-loom.ts';
import { cifar10Unet } from './cifar10-unet.ts';
import { ditFlow } from './dit-flow.ts';
import { fashionDit } from './fashion-dit.ts';
import { fashionUnet } from './fashion-unet.ts';
import { ffhq256Loom } from './ffhq256-loom.ts';
import { imagenet32Loom } from './imagenet32-loom.ts';
import { imagenet64Loom } from './imagenet64-loom.ts';
import { celebaHqLatentDit, ffhqLatentDit, imagenetLatentDit } from './latent-dits-256.ts';
import { latentUnetB, latentUnetS } from './latent-unet.ts';
import { afhq64Ddpmpp, cifar10Ddpmpp, imagenet64Adm } from './lines-generators.ts';
import { portraitsLatentDit } from './portraits-latent-dit.ts';
import { portraitsUnet } from './portraits-unet.ts';
import { portraitsVq } from './portraits-vq.ts';
import { twoMoonsMlp } from './two-moons-mlp.ts';

/** Presets of flows by name; a preset is a config like a user's own. */
export const presets: Readonly<Record<string, RunConfigInput>> = {
  'fashion-unet': fashionUnet,
  'fashion-dit': fashionDit,
  'portraits-unet': portraitsUnet,
  'two-moons-mlp': twoMoonsMlp,
  'cifar10-unet': cifar10Unet,
  'cifar10-loom': cifar10Loom,
  'imagenet32-loom': imagenet32Loom,
  'imagenet64-loom': imagenet64Loom,
  'ffhq256-loom': ffhq256Loom,
  'cifar10-ddpmpp': cifar10Ddpmpp,
  'afhq64-ddpmpp': afhq64Ddpmpp,
  'imagenet64-adm': imagenet64Adm,
  'dit-s-2': ditFlow('S'),
  'dit-b-2': ditFlow('B'),
  'dit-l-2': ditFlow('L'),
  'dit-xl-2': ditFlow('XL'),
  'latent-unet-s': latentUnetS,
  'latent-unet-b': latentUnetB,
};

/** Presets of autoencoders by name. */
export const autoencoderPresets: Readonly<Record<string, AutoencoderConfigInput>> = {
  'portraits-vq': portraitsVq,
  'celeba-hq-vq': celebaHqVq,
  'ffhq-vq': ffhqVq,
  'imagenet-vq': imagenetVq,
  'imagenet-kl': imagenetKl,
};

/** Presets of experiments in stages by name. */
export const stagesPresets: Readonly<Record<string, StagesConfigInput>> = {
  'portraits-latent-dit': portraitsLatentDit,
  'celeba-hq-latent-dit': celebaHqLatentDit,
  'ffhq-latent-dit': ffhqLatentDit,
  'imagenet-latent-dit': imagenetLatentDit,
};

/** All of them: names that `train` takes. */
export const allPresets: Readonly<Record<string, RunConfigInput | AutoencoderConfigInput | StagesConfigInput>> = {
  ...presets,
  ...autoencoderPresets,
  ...stagesPresets,
};
