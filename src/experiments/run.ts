/** What the command line calls: training, sampling, evaluation and analysis. */
/** What the command line calls: training, sampling, export, import and analysis. */
import { analyzeBounds } from './analyze-bounds.ts';
import { analyzeClosedForm } from './analyze-closed-form.ts';
import { analyzeCoupling } from './analyze-coupling.ts';
import { analyzeCurvature } from './analyze-curvature.ts';
import { analyzePruningStability } from './analyze-pruning-stability.ts';
import { encode } from './encode-data.ts';
import { evaluate } from './evaluate.ts';
import { exportRun } from './export-run.ts';
import { importRun } from './import-run.ts';
import type { Runner } from './run-types.ts';
import { sample } from './sample-run.ts';
import { trainAutoencoder } from './train-autoencoder.ts';
import { train } from './train-run.ts';
import { trainStages } from './train-stages.ts';

export const runner: Runner = {
  train,
  trainAutoencoder,
  trainStages,
  sample,
  evaluate,
  encode,
  exportRun,
  importRun,
  analyzeBounds,
  analyzeClosedForm,
  analyzeCoupling,
  analyzeCurvature,
  analyzePruningStability,
};
