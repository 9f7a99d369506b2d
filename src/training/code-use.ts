/** Which codes training uses, and the revival of those that it does not. */

import type { HostArrays, Stepper } from '../engine/stepper.ts';
import { CheckpointError } from '../errors.ts';
import type { Codebook, ImageAutoencoder } from '../models/image-autoencoder.ts';
import { stream } from '../numerics/stream.ts';
import type { Optimizer } from './optimizer.ts';
import { PARAMETERS } from './parameter-update.ts';
import type { CodeReport } from './trainer.ts';
import type { HostState } from './trainer-state.ts';

export interface RevivalPlan {
  /** Images between revivals. */
  readonly everyImages: number;
  /** A code with fewer choices since the last revival is dead. */
  readonly least: number;
  /** Images after which codes are left alone; `null`: never. */
  readonly untilImages: number | null;
}

/** What a step gave. */
export interface CodeChoices {
  /** Choices of each code; `null` without a codebook. */
  readonly counts: Float64Array | null;
  /** float32 [batch, channels, ...positions]; `null` where nothing is revived. */
  readonly latents: Float32Array | null;
}

/** Choices counted over steps, as state of the training. */
export interface CodeUse extends HostState {
  /**
   * Counts a step's choices, and revives dead codes where that is due.
   * @param imagesSeen  after the step.
   * @returns `null` without a codebook.
   */
  after(stepper: Stepper, choices: CodeChoices, imagesSeen: number): Promise<CodeReport | null>;
}

/** What counting and revival depend on. */
export interface CodeUseOptions {
  readonly parts: {
    readonly network: ImageAutoencoder;
    readonly optimizer: Optimizer;
    readonly ema: boolean;
    readonly batch: number;
    readonly accumulate: number;
  };
  readonly revival: RevivalPlan | null;
  readonly seed: number;
}

/** Whether a revival lies between two numbers of images. */
function isDue({ everyImages, untilImages }: RevivalPlan, before: number, after: number): boolean {
  return (
    after <= (untilImages ?? Number.POSITIVE_INFINITY) &&
    Math.floor(after / everyImages) > Math.floor(before / everyImages)
  );
}

export function trackCodes({ parts, revival, seed }: CodeUseOptions): CodeUse {
  const { codebook, latents } = parts.network;
  const counts = new Float64Array(revival === null ? 0 : (codebook?.codes ?? 0));
  const imagesPerStep = parts.batch * parts.accumulate;
  const positions = latents.shape[1] * latents.shape[2];
  return {
    prefix: 'usage.',
    state: (): Record<string, Float64Array> => (counts.length === 0 ? {} : { counts }),
    restore({ counts: saved }) {
      if ((saved?.length ?? 0) === counts.length) return counts.set(saved ?? []);
      const expected = `${counts.length} counts of codes in a checkpoint`;
      throw new CheckpointError({ expected, got: String(saved?.length ?? 0), where: 'training/code-use' });
    },
    async after(stepper, { counts: chosen, latents: maps }, imagesSeen) {
      if (codebook === null || chosen === null) return null;
      for (let code = 0; code < counts.length; code++) counts[code] += chosen[code];
      const usage = codebook.usage(chosen);
      if (revival === null || maps === null || !isDue(revival, imagesSeen - imagesPerStep, imagesSeen))
        return { ...usage, revived: 0 };
      const random = stream(seed, 'code-revival', imagesSeen);
      const options = { counts, least: revival.least, latents: maps, positions, random };
      const revived = await revive(stepper, { codebook, optimizer: parts.optimizer, ema: parts.ema }, options);
      counts.fill(0);
      return { ...usage, revived };
    },
  };
}

interface RevivedParts {
  readonly codebook: Codebook;
  readonly optimizer: Optimizer;
  readonly ema: boolean;
}

/** Puts latents in the place of dead codes, in the average too, and forgets their moments. @returns how many. */
async function revive(
  stepper: Stepper,
  { codebook, optimizer, ema }: RevivedParts,
  options: Parameters<Codebook['revive']>[1],
): Promise<number> {
  const { path, channels } = codebook;
  const raw = `${PARAMETERS}.${path}`;
  const moments = optimizer.slots.map((slot) => `optimizer.${slot}.${path}`);
  const averages = ema ? [`ema.${path}`] : [];
  const state = await stepper.readState([raw, ...moments, ...averages]);
  const values = state as Record<string, Float32Array>; // float32 as every parameter
  const { codebook: renewed, revived } = codebook.revive(values[raw], options);
  for (const code of revived) {
    const [from, to] = [code * channels, (code + 1) * channels];
    for (const name of averages) values[name].set(renewed.subarray(from, to), from);
    for (const name of moments) values[name].fill(0, from, to);
  }
  const written: HostArrays = { ...values, [raw]: renewed };
  await stepper.writeState(written);
  return revived.length;
}
