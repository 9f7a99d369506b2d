/** Networks with published checkpoints, by the options of `scripts/golden/networks.py`. */
import { type AdmUnetOptions, admUnet, admUnetOptions } from '../../src/models/adm-unet.ts';
import type { CheckpointMap } from '../../src/models/checkpoint-map.ts';
import { type AdmCheckpointOptions, admUnetCheckpoint } from '../../src/models/checkpoint-names/adm-unet.ts';
import { ditCheckpoint } from '../../src/models/checkpoint-names/dit.ts';
import { type SongCheckpointOptions, songUnetCheckpoint } from '../../src/models/checkpoint-names/song-unet.ts';
import { type DitOptions, dit } from '../../src/models/dit.ts';
import type { Model } from '../../src/models/model.ts';
import { type SongUnetOptions, songUnet } from '../../src/models/song-unet.ts';

export interface PublishedNetwork {
  readonly model: Model;
  readonly checkpoint: CheckpointMap;
}

export type PublishedKind = 'dit' | 'adm' | 'song';

/** The casts: a golden file holds the options that its kind of network wants. */
export const publishedNetworks: { readonly [K in PublishedKind]: (options: object) => PublishedNetwork } = {
  dit: (options) => ({ model: dit(options as DitOptions), checkpoint: ditCheckpoint(options as DitOptions) }),
  adm: (options) => {
    const {
      attentionRows = 'head',
      nullLabel = true,
      ...own
    } = options as AdmUnetOptions & Partial<AdmCheckpointOptions>;
    return { model: admUnet(own), checkpoint: admUnetCheckpoint(admUnetOptions(own), { attentionRows, nullLabel }) };
  },
  song: (options) => {
    const { augmentLabels = null, ...own } = options as SongUnetOptions & Partial<SongCheckpointOptions>;
    return { model: songUnet(own), checkpoint: songUnetCheckpoint(own, { augmentLabels }) };
  },
};
