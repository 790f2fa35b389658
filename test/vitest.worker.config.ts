/** Tests that run in workerd, on real local D1, R2 and queues. */
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const root = `${import.meta.dirname}/../`

export default defineConfig({
  root,
  plugins: [
    cloudflareTest(async () => ({
      main: './src/worker.ts',
      wrangler: { configPath: `${root}wrangler.toml` },
      miniflare: {
        bindings: {
          LOCAL: 'true',
          ADMIN_KEY: 'operator-key-of-the-tests-0123456789',
          SECRET: 'secret-of-the-tests-0123456789-abcdef',
          TEST_MIGRATIONS: await readD1Migrations(`${root}migrations`),
          TEST_SEARCH_MIGRATIONS: await readD1Migrations(`${root}migrations/search`),
        },
      },
    })),
  ],
  test: {
    name: 'worker',
    include: [
      'store',
      'record',
      'directory',
      'submission',
      'relay',
      'reception',
      'feedback',
      'mailbox',
      'webhook',
      'platform',
      'http',
    ].map((folder) => `test/${folder}/**/*.test.ts`),
    setupFiles: [`${root}test/support/migrate.ts`],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
