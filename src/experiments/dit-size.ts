import { type DitSize, ditSizes } from '../models/dit.ts';

/** What a config says of a transformer's size: a published one by its letter, and what replaces its parts. */
export interface DitSizeConfig {
  readonly size: keyof typeof ditSizes;
  readonly depth: number | null;
  readonly width: number | null;
  readonly heads: number | null;
}

/** Depth, width and heads of a config: its own where given, else those of the size [peebles:23]. */
export function ditSizeOf({ size, depth, width, heads }: DitSizeConfig): DitSize {
  const published = ditSizes[size];
  return { depth: depth ?? published.depth, width: width ?? published.width, heads: heads ?? published.heads };
}
