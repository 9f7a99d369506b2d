import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Worker threads started by the code under test load TypeScript through tsx, as the CLI does.
    execArgv: ['--import', 'tsx'],
    maxWorkers: 2,
    // Two processes for all files: to start one and load the engine takes longer than most files' tests.
    isolate: false,
    testTimeout: 60_000,
  },
});
