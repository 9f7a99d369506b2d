/** Which presets are at paper scale, and what made-up data each is given to make one step on. A test keeps the lists whole. */

/** Made-up data: images with sides of `side` pixels, or latents of the shape that the preset says. */
export interface MadeUpData {
  /** Height and width of images; null where the preset's data are latents. */
  readonly side: number | null;
  /** Channels of images. */
  readonly channels?: 1 | 3;
  /** Classes of images; null or absent for none. */
  readonly classes?: number | null;
}

/** Presets of the papers' own settings, by name. */
export const paperScalePresets: Readonly<Record<string, MadeUpData>> = {
  'cifar10-unet': { side: 32 },
  'cifar10-loom': { side: 32 },
  'cifar10-ddpmpp': { side: 32 },
  'imagenet32-loom': { side: 32 },
  'imagenet64-loom': { side: 64 },
  'imagenet64-adm': { side: 64, classes: 1000 },
  'afhq64-ddpmpp': { side: 64 },
  'ffhq256-loom': { side: null },
  'latent-unet-s': { side: null },
  'latent-unet-b': { side: null },
  'dit-s-2': { side: null },
  'dit-b-2': { side: null },
  'dit-l-2': { side: null },
  'dit-xl-2': { side: null },
};

/** Presets of autoencoders and of stages at paper scale: only their configs are tried, as no data are made up for them. */
export const dryRunPresets: readonly string[] = [
  'celeba-hq-vq',
  'ffhq-vq',
  'imagenet-vq',
  'imagenet-kl',
  'celeba-hq-latent-dit',
  'ffhq-latent-dit',
  'imagenet-latent-dit',
];

/** Presets that train on a laptop. */
export const laptopPresets: readonly string[] = [
  'fashion-unet',
  'fashion-dit',
  'portraits-unet',
  'two-moons-mlp',
  'portraits-vq',
  'portraits-latent-dit',
];
