import type { RunConfigInput } from '../config.ts';
import { cifar10Unet } from './cifar10-unet.ts';

/**
 * CIFAR-10 at paper scale by LOOM-CFM with 4 caches: [davtyan:25], table 4, with the limits of `cifar10-unet`. The noise seeds take 1.6 MB
 * (mirrored images keep their own). Not trained here: needs a GPU and the folder of CIFAR-10's binary version.
 */
export const cifar10Loom: RunConfigInput = {
  ...cifar10Unet,
  name: 'cifar10-loom',
  coupling: { kind: 'loom', caches: 4 },
};
