/** Adam and its descendants AdamW and RAdam: one rule, told apart by the scalars of each update. */
import { add, divide, multiply, sqrt, subtract } from '../engine/ops.ts';
import type { Optimizer, Scalars, UpdateContext } from './optimizer.ts';

export interface AdamOptions {
  /** Decay of the first and second moment, in [0, 1). */
  readonly betas: readonly [number, number];
  /** Added to the root of the second moment. */
  readonly epsilon: number;
  /** Fraction of the parameter removed per update and unit of learning rate (AdamW), or factor of the penalty's gradient (Adam). */
  readonly weightDecay: number;
}

/**
 * The rule with m and v kept as unnormalised sums, M = m / (1 - beta1) and V = v / (1 - beta2), which saves two products an
 * element:
 *   M <- beta1 M + g,  V <- beta2 V + g^2,  p <- shrink p - M (adaptive / (sqrt V + floor) + plain).
 */
function adamLike(
  kind: string,
  betas: readonly [number, number],
  rest: { readonly scalars: (context: UpdateContext) => Scalars; readonly penalty: number },
): Optimizer {
  const [beta1, beta2] = betas;
  return {
    kind,
    slots: ['first', 'second'],
    scalarNames: ['shrink', 'adaptive', 'floor', ...(kind === 'radam' ? ['plain'] : [])],
    scalars: rest.scalars,
    update({ parameter, gradient, slots }, { shrink, adaptive, floor, plain }) {
      const g = rest.penalty === 0 ? gradient : add(gradient, multiply(parameter, rest.penalty));
      const first = add(multiply(slots.first, beta1), g);
      const second = add(multiply(slots.second, beta2), multiply(g, g));
      const scale = divide(adaptive, add(sqrt(second), floor));
      const change = multiply(first, plain === undefined ? scale : add(scale, plain));
      return { parameter: subtract(multiply(parameter, shrink), change), slots: { first, second } };
    },
  };
}

/** Scalars of Adam's update: bias correction folded into the step and the floor. Source: [kingma:15], section 2. */
function adamScalars({ betas: [beta1, beta2], epsilon }: AdamOptions, { update, learningRate }: UpdateContext) {
  const first = (1 - beta1) / (1 - beta1 ** update);
  const second = Math.sqrt((1 - beta2) / (1 - beta2 ** update));
  // m^ / (sqrt v^ + eps) = M first / (second sqrt V + eps) = M (first / second) / (sqrt V + eps / second).
  return { adaptive: (learningRate * first) / second, floor: epsilon / second };
}

/** Adam; weight decay, if any, is an L2 penalty added to the gradient. Source: [kingma:15], algorithm 1. */
export function adam(options: AdamOptions): Optimizer {
  return adamLike('adam', options.betas, {
    penalty: options.weightDecay,
    scalars: (context) => ({ shrink: 1, ...adamScalars(options, context) }),
  });
}

/** Adam with decoupled weight decay: parameters shrink by learningRate weightDecay each update. Source: [loshchilov:19], algorithm 2. */
export function adamW(options: AdamOptions): Optimizer {
  return adamLike('adamw', options.betas, {
    penalty: 0,
    scalars: (context) => ({
      shrink: 1 - context.learningRate * options.weightDecay,
      ...adamScalars(options, context),
    }),
  });
}

/**
 * Rectified Adam: plain momentum until the variance of the adaptive rate is tractable, then Adam scaled by the rectification
 * term. Source: [liu:20], algorithm 2 (threshold 4 on the length of the approximated moving average).
 */
export function radam(options: AdamOptions): Optimizer {
  const [beta1, beta2] = options.betas;
  const longest = 2 / (1 - beta2) - 1;
  return adamLike('radam', options.betas, {
    penalty: options.weightDecay,
    scalars(context) {
      const power = beta2 ** context.update;
      const length = longest - (2 * context.update * power) / (1 - power);
      const base = adamScalars(options, context);
      if (length <= 4) {
        return {
          shrink: 1,
          adaptive: 0,
          floor: base.floor,
          plain: (context.learningRate * (1 - beta1)) / (1 - beta1 ** context.update),
        };
      }
      const rectification = Math.sqrt(
        ((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length),
      );
      return { shrink: 1, adaptive: base.adaptive * rectification, floor: base.floor, plain: 0 };
    },
  });
}
