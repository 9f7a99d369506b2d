import { join } from 'node:path';
import { Command, Option } from 'commander';
import { ConfigError } from '../errors.ts';
import type { ExportRequest } from '../experiments/export-request.ts';
import { runFolderOf } from '../experiments/run-path.ts';
import { readSampleModel } from '../experiments/sample-model.ts';
import type { WeightNames } from '../experiments/weight-names.ts';
import type { CommandContext } from './context.ts';
import { type SamplingFlags, samplingChanges } from './sampling-changes.ts';
import {
  addSharedFlags,
  integerFlag,
  numberFlag,
  printSettings,
  repeatedFlag,
  type SharedFlags,
} from './shared-flags.ts';
import { addWeightNamesFlags } from './weight-names-flags.ts';

interface ExportFlags extends SharedFlags, SamplingFlags, WeightNames {
  readonly out?: string;
  readonly provider?: ExportRequest['provider'];
  readonly batch?: number;
  readonly weights: ExportRequest['weights'];
  readonly unroll?: true;
  readonly fusedAttention?: true;
  readonly ema: boolean;
}

/** `export <run>`: the network and the whole sampler as ONNX files, or the weights as safetensors. */
export function exportCommand({ terminal, runner }: CommandContext): Command {
  const command = new Command('export')
    .description(
      'write a trained run as ONNX files that need nothing of flowloom: the network, and a sampler from seeds to pixels',
    )
    .argument('<run>', 'folder of a run, or of one of its checkpoints')
    .option('--out <folder>', 'where the files go (default: export/ in the run)')
    .addOption(
      new Option('--weights <format>', 'onnx: networks with their weights; safetensors: the weights alone')
        .choices(['onnx', 'safetensors'])
        .default('onnx'),
    )
    .addOption(
      new Option('--provider <name>', 'kernels that the graphs are written for (default: as configured)').choices([
        'cpu',
        'webgpu',
        'cuda',
      ]),
    )
    .option('--batch <n>', 'samples of a call (default: any number)', integerFlag(1))
    .option('--solver <name>', 'euler, midpoint, heun, ralston, heun3, rk4 or rk4-38')
    .option('--steps <n>', 'steps of the solver', integerFlag(1))
    .option('--guidance <w>', 'weight of the label; 1 is none', numberFlag)
    .option('--set <path=value>', 'change another setting of the run; may be repeated', repeatedFlag, [])
    .option('--unroll', 'write every step of the solver out, for runtimes without Loop (default for webgpu)')
    .option(
      '--fused-attention',
      "attention as one operator of ONNX Runtime's own: faster in browsers and for many tokens, slower for few on processors",
    )
    .option('--no-ema', 'use the parameters themselves, not their average');
  return addSharedFlags(addWeightNamesFlags(command)).action(async (run: string, flags: ExportFlags) => {
    const request = requestOf(run, flags);
    const { json = false, dryRun = false } = flags;
    if (dryRun) return printSettings(terminal, { json }, request);
    const outcome = await runner.exportRun(request);
    const batch = outcome.batch === null ? 'any number of samples' : `${outcome.batch} samples`;
    const what = request.weights === 'onnx' ? `; ${batch} a call, ${outcome.evaluations} evaluations each` : '';
    terminal.out(`${outcome.parameterCount.toLocaleString('en')} parameters${what}`);
    for (const path of outcome.paths) terminal.out(path);
    if (json) terminal.out(JSON.stringify(outcome));
  });
}

function requestOf(run: string, flags: ExportFlags): ExportRequest {
  const { sampling, runtime, exact } = readSampleModel(run, { set: samplingChanges(flags), evaluations: null });
  if (exact !== null) {
    throw new ConfigError({
      expected: 'a trained run, to export its network',
      got: 'an exact field, which has none',
      where: 'export',
    });
  }
  const provider = flags.provider ?? runtime.provider;
  return {
    model: run,
    folder: flags.out ?? join(runFolderOf(run), 'export'),
    sampling,
    provider,
    unrolled: flags.unroll ?? provider === 'webgpu',
    fusedAttention: flags.fusedAttention ?? false,
    ema: flags.ema,
    batch: flags.batch ?? null,
    weights: flags.weights,
    names: flags.names,
    attentionRows: flags.attentionRows,
  };
}
