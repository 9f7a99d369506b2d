#!/usr/bin/env node
/** The command `flowloom`. */
import { runProgram } from './program.ts';
import { processTerminal } from './terminal.ts';

// The engine is loaded by the commands that need it: help and mistakes answer at once.
const loadRunner = async () => (await import('../experiments/run.ts')).runner;

// Who reads the output may leave early, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runProgram(process.argv.slice(2), {
  terminal: processTerminal(),
  runner: {
    train: async (request) => (await loadRunner()).train(request),
    trainAutoencoder: async (request) => (await loadRunner()).trainAutoencoder(request),
    trainStages: async (request) => (await loadRunner()).trainStages(request),
    sample: async (request) => (await loadRunner()).sample(request),
    evaluate: async (request) => (await loadRunner()).evaluate(request),
    encode: async (request) => (await loadRunner()).encode(request),
    exportRun: async (request) => (await loadRunner()).exportRun(request),
    importRun: async (request) => (await loadRunner()).importRun(request),
    analyzeBounds: async (request) => (await loadRunner()).analyzeBounds(request),
    analyzeClosedForm: async (request) => (await loadRunner()).analyzeClosedForm(request),
    analyzeCoupling: async (request) => (await loadRunner()).analyzeCoupling(request),
    analyzeCurvature: async (request) => (await loadRunner()).analyzeCurvature(request),
    analyzePruningStability: async (request) => (await loadRunner()).analyzePruningStability(request),
  },
  debug: (process.env.FLOWLOOM_DEBUG ?? '') !== '',
});
