import { defineConfig } from 'vitest/config';

const source = { conditions: ['@pilotlight/source', 'node', 'import', 'module', 'default'] };

export default defineConfig({
  resolve: source,
  ssr: { resolve: source },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/src/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
    // Tests wait for events; on a machine that is busy those may take their time.
    expect: { poll: { timeout: 30_000 } },
    reporters: ['default', './scripts/closing-reporter.ts'],
    pool: 'forks',
    maxWorkers: 2,
  },
});
