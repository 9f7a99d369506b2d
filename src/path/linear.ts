/** The straight path from noise to data, and what can be computed from one of its quantities given another. */
import { add, divide, multiply, reshape, subtract } from '../engine/ops.ts';
import { sameShape } from '../engine/shape.ts';
import { formatType, type Tensor } from '../engine/tensor.ts';
import { ShapeError } from '../errors.ts';

/** A point on the conditional path and its velocity. */
export interface PathSample {
  /** float32 [batch], in [0, 1]; 0 is source, 1 is target. */
  readonly time: Tensor;
  /** float32 [batch, ...dims]. */
  readonly xt: Tensor;
  /** float32 [batch, ...dims], in latent units per unit time. */
  readonly velocity: Tensor;
}

export interface PathEnds {
  /** float32 [batch, ...dims], drawn from the source distribution. */
  readonly source: Tensor;
  /** float32 [batch, ...dims], latents. */
  readonly target: Tensor;
  /** float32 [batch], in [0, 1]. */
  readonly time: Tensor;
  /** Standard normal noise, float32 [batch, ...dims]; `null` (the default) for a path without width, and only there. */
  readonly jitter?: Tensor | null;
}

/** A way from source to target whose points and velocities are linear in both. */
export interface Path {
  /** Standard deviation of the normal noise around the path; 0 means that `sample` takes no jitter. */
  readonly sigma: number;
  /** @throws ShapeError if the ends do not fit together, or the jitter does not fit the width. */
  sample(ends: PathEnds): PathSample;
  /** The target that a velocity at xt points to. */
  targetFromVelocity(velocity: Tensor, at: PathPoint): Tensor;
  /** The source that a velocity at xt comes from. */
  sourceFromVelocity(velocity: Tensor, at: PathPoint): Tensor;
  /** Velocity at xt towards a predicted target. Fails when: time is 1. */
  velocityFromTarget(target: Tensor, at: PathPoint): Tensor;
  /** Velocity at xt away from a predicted source. Fails when: time is 0. */
  velocityFromSource(source: Tensor, at: PathPoint): Tensor;
}

export interface PathPoint {
  readonly xt: Tensor;
  /** float32 [batch]. */
  readonly time: Tensor;
}

/** @throws ShapeError unless ends and time have the same batch axis; without this they would be broadcast in silence. */
function checkEnds({ source, target, time, jitter }: PathEnds, sigma: number): void {
  const [batch] = target.shape;
  const where = 'path/linear sample';
  for (const [name, tensor] of Object.entries({ source, ...(jitter ? { jitter } : {}) })) {
    if (sameShape(tensor.shape, target.shape)) continue;
    throw new ShapeError({
      expected: `\`${name}\` to be ${formatType(target)}, as \`target\` is`,
      got: formatType(tensor),
      where,
    });
  }
  if (!sameShape(time.shape, [batch])) {
    throw new ShapeError({ expected: `\`time\` to be [batch] = [${batch}]`, got: formatType(time), where });
  }
  if (jitter ? sigma === 0 : sigma > 0) {
    throw new ShapeError({
      expected: `${sigma > 0 ? 'a' : 'no'} \`jitter\`, as \`sigma\` is ${sigma}`,
      got: jitter ? formatType(jitter) : 'none',
      where,
    });
  }
}

/** [batch] as [batch, 1, ...], to multiply tensors of the rank of `like`. */
function perSample(time: Tensor, like: Tensor): Tensor {
  return reshape(time, [time.shape[0], ...like.shape.slice(1).map(() => 1)]);
}

/**
 * The linear path: xt = t target + (1 - t) source + sigma jitter, velocity = target - source.
 *
 * Source: [davtyan:25], eq. (3); sigma = 0 is the rectified flow of [liu:23] and the path of [lipman:23] at sigma_min = 0.
 * The conversions hold for sigma = 0; for a small sigma they err by sigma jitter.
 * @param options.sigma  width of the path in latent units, >= 0; the paper uses 1e-7.
 */
export function linearPath({ sigma = 0 }: { readonly sigma?: number } = {}): Path {
  return {
    sigma,
    sample(ends) {
      checkEnds(ends, sigma);
      const { source, target, time, jitter = null } = ends;
      const t = perSample(time, target);
      const velocity = subtract(target, source);
      const mean = add(source, multiply(velocity, t));
      return { time, velocity, xt: jitter === null ? mean : add(mean, multiply(jitter, sigma)) };
    },
    targetFromVelocity: (velocity, { xt, time }) => add(xt, multiply(velocity, subtract(1, perSample(time, xt)))),
    sourceFromVelocity: (velocity, { xt, time }) => subtract(xt, multiply(velocity, perSample(time, xt))),
    velocityFromTarget: (target, { xt, time }) => divide(subtract(target, xt), subtract(1, perSample(time, xt))),
    velocityFromSource: (source, { xt, time }) => divide(subtract(xt, source), perSample(time, xt)),
  };
}
