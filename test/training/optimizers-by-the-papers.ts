/** Optimisers as their papers write them, in float64: an independent account of what `src/training/adam.ts` folds together. */
import type { AdamOptions } from '../../src/training/adam.ts';

export interface MomentState {
  readonly m: Float64Array;
  readonly v: Float64Array;
}

/** One update of one tensor in place, number t from 1. */
export type PaperUpdate = (
  theta: Float64Array,
  gradient: Float64Array,
  context: MomentState & AdamOptions & { readonly t: number; readonly learningRate: number },
) => void;

/** Moments of [kingma:15], algorithm 1. */
function updateMoments(gradient: Float64Array, { m, v, betas: [beta1, beta2] }: Parameters<PaperUpdate>[2]): void {
  for (let i = 0; i < m.length; i++) {
    m[i] = beta1 * m[i] + (1 - beta1) * gradient[i];
    v[i] = beta2 * v[i] + (1 - beta2) * gradient[i] ** 2;
  }
}

function penalised(gradient: Float64Array, theta: Float64Array, weightDecay: number): Float64Array {
  return gradient.map((g, i) => g + weightDecay * theta[i]);
}

/** [kingma:15], algorithm 1, with the L2 penalty of [loshchilov:19], algorithm 2, line 6. */
const adam: PaperUpdate = (theta, gradient, context) => {
  const { m, v, t, learningRate, epsilon, weightDecay } = context;
  const [beta1, beta2] = context.betas;
  updateMoments(penalised(gradient, theta, weightDecay), context);
  for (let i = 0; i < theta.length; i++) {
    const corrected = v[i] / (1 - beta2 ** t);
    theta[i] -= (learningRate * (m[i] / (1 - beta1 ** t))) / (Math.sqrt(corrected) + epsilon);
  }
};

/** [loshchilov:19], algorithm 2, with alpha = 1 and the learning rate as schedule multiplier eta. */
const adamw: PaperUpdate = (theta, gradient, context) => {
  const { m, v, t, learningRate, epsilon, weightDecay } = context;
  const [beta1, beta2] = context.betas;
  updateMoments(gradient, context);
  for (let i = 0; i < theta.length; i++) {
    const step = m[i] / (1 - beta1 ** t) / (Math.sqrt(v[i] / (1 - beta2 ** t)) + epsilon);
    theta[i] -= learningRate * (step + weightDecay * theta[i]);
  }
};

/** [liu:20], algorithm 2; epsilon is added to the root as Adam does. */
const radam: PaperUpdate = (theta, gradient, context) => {
  const { m, v, t, learningRate, epsilon, weightDecay } = context;
  const [beta1, beta2] = context.betas;
  updateMoments(penalised(gradient, theta, weightDecay), context);
  const rhoInfinity = 2 / (1 - beta2) - 1;
  const rho = rhoInfinity - (2 * t * beta2 ** t) / (1 - beta2 ** t);
  for (let i = 0; i < theta.length; i++) {
    const mean = m[i] / (1 - beta1 ** t);
    if (rho > 4) {
      const r = Math.sqrt(((rho - 4) * (rho - 2) * rhoInfinity) / ((rhoInfinity - 4) * (rhoInfinity - 2) * rho));
      theta[i] -= (learningRate * r * mean) / (Math.sqrt(v[i] / (1 - beta2 ** t)) + epsilon);
    } else {
      theta[i] -= learningRate * mean;
    }
  }
};

export const paperUpdates = { adam, adamw, radam };
