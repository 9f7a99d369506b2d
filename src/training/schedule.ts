/** Learning rates over a run, counted in images seen, so that another batch size keeps the schedule. */

/** Learning rate as a fraction of its peak. */
export type Schedule = (imagesSeen: number) => number;

export interface ScheduleOptions {
  /** Images over which the rate rises linearly from 0; 0 for none. */
  readonly warmupImages: number;
}

/** Rises linearly, then stays. */
export function constantSchedule({ warmupImages }: ScheduleOptions): Schedule {
  return (imagesSeen) => (imagesSeen < warmupImages ? imagesSeen / warmupImages : 1);
}

/** Rises linearly, then falls along half a cosine to `finalFraction` of the peak at `images`. Source: [loshchilov:17], eq. (5). */
export function cosineSchedule({
  warmupImages,
  images,
  finalFraction,
}: ScheduleOptions & { readonly images: number; readonly finalFraction: number }): Schedule {
  return (imagesSeen) => {
    if (imagesSeen < warmupImages) return imagesSeen / warmupImages;
    const progress = Math.min(1, (imagesSeen - warmupImages) / Math.max(1, images - warmupImages));
    return finalFraction + ((1 - finalFraction) * (1 + Math.cos(Math.PI * progress))) / 2;
  };
}
