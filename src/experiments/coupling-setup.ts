/** What couplings compute with, and the coupling of a config over its data. */
import type { Coupling } from '../coupling/coupling.ts';
import type { PairingTools } from '../coupling/optimal-pairing.ts';
import { engineArgmaxProducts } from '../engine/argmax-products.ts';
import { type EngineDotProducts, engineDotProducts } from '../engine/dot-products.ts';
import { openNativeRuntime } from '../engine/native/native-runtime.ts';
import type { Runtime } from '../engine/runtime.ts';
import { solveAssignment } from '../numerics/assignment.ts';
import { startAssignmentThread } from '../numerics/assignment-thread.ts';
import { buildCoupling, type CouplingTools, pairedImages } from './build.ts';
import type { RunConfig } from './config.ts';
import type { RunData } from './run-data.ts';

/** Problems from this size on are solved on a thread of their own: smaller ones are done before a thread would have answered. */
const threadSize = 512;

/** A coupling and what must be given back after its use. */
export interface CouplingSetup {
  readonly coupling: Coupling;
  readonly tools: CouplingTools;
  /** Steps whose batches are paired at once. */
  readonly pairingSteps: number;
  close(): Promise<void>;
}

/** Assignments on this thread or, where they are large, on another. */
function openSolver() {
  let thread: ReturnType<typeof startAssignmentThread> | null = null;
  return {
    async solve({ values, size, nearIdentity }: Parameters<PairingTools['solve']>[0]): Promise<Int32Array> {
      const identity = () => Int32Array.from({ length: size }, (_, row) => row);
      const options = { start: nearIdentity ? { rowToColumn: identity() } : null };
      const costs = { values, rows: size, columns: size };
      if (size < threadSize) return solveAssignment(costs, options).rowToColumn;
      thread ??= startAssignmentThread();
      return (await thread.solve(costs, options)).rowToColumn;
    },
    close: async () => thread?.close(),
  };
}

/** Tools of couplings, and how to give back what they use. */
export interface OpenPairingTools {
  readonly tools: CouplingTools;
  close(): Promise<void>;
}

/**
 * Products and assignments for couplings. Products have a runtime with a thread of its own, which does not wait for the training's
 * steps; it starts with the first product.
 * @param options.threads  threads of the products with a whole data set; `null` leaves the number to the runtime.
 */
export function openPairingTools({ threads = null }: { readonly threads?: number | null } = {}): OpenPairingTools {
  const solver = openSolver();
  let opened: Promise<{ readonly runtime: Runtime; readonly engine: EngineDotProducts }> | null = null;
  const open = async () => {
    const runtime = await openNativeRuntime({ provider: 'cpu', threads: 1, spinning: false });
    return { runtime, engine: engineDotProducts(runtime) };
  };
  // Most of these products come before the first step, when all processors are free.
  let openedArgmax: Promise<Runtime> | null = null;
  const openArgmax = () => openNativeRuntime({ provider: 'cpu', threads, spinning: false });
  return {
    tools: {
      async products(a, b, elements) {
        opened ??= open();
        return (await opened).engine.products(a, b, elements);
      },
      solve: solver.solve,
      async openProducts(rows) {
        openedArgmax ??= openArgmax();
        return engineArgmaxProducts(await openedArgmax, rows);
      },
    },
    async close() {
      await solver.close();
      (await opened)?.runtime.release();
      (await openedArgmax)?.release();
    },
  };
}

/** The coupling of a config over its data. */
export function openCoupling(config: RunConfig, data: Pick<RunData, 'rows'>): CouplingSetup {
  const { batchSize, accumulate } = config.training;
  const { tools, close } = openPairingTools(config.runtime);
  const coupling = buildCoupling(config, { data: data.rows, tools });
  return { coupling, tools, pairingSteps: pairedImages(config) / (batchSize * accumulate), close };
}
