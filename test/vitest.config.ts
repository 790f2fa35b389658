import { defineConfig } from 'vitest/config'

/** Two runtimes: what is pure or Node's runs in Node; what touches the platform runs in workerd, with real D1, R2 and queues. */
const node = ['base', 'mail', 'smtp', 'contract', 'gateway', 'flow', 'clients']

export default defineConfig({
  test: {
    projects: [
      {
        root: `${import.meta.dirname}/..`,
        test: {
          name: 'node',
          include: ['test/*.test.ts', ...node.map((folder) => `test/${folder}/**/*.test.ts`)],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      './test/vitest.worker.config.ts',
    ],
  },
})
