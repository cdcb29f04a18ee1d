/** The fault tests that take minutes: `npm run test:faults`. What they start as processes runs from dist, which the script builds first. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/fault/long/*.long.ts'],
    globalSetup: ['test/servers-setup.ts'],
    testTimeout: 300_000,
    hookTimeout: 60_000,
    // Faults are timed by the seed: two files at once would disturb each other's load.
    maxWorkers: 1,
    disableConsoleIntercept: true,
  },
});
