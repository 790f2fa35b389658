/** The bindings that tests in workerd run on. */

import { env as bindings } from 'cloudflare:workers'
import type { D1Migration } from '@cloudflare/vitest-plugin'
import type { WakeUp } from '../../src/platform/context.ts'

type TestEnv = {
  DB: D1Database
  MAIL_2: D1Database
  MAIL_3: D1Database
  SEARCH: D1Database
  RAW: R2Bucket
  OUTBOUND: Queue<WakeUp>
  DISPATCH: Queue<WakeUp>
  ADMIN_KEY: string
  SECRET: string
  TEST_MIGRATIONS: D1Migration[]
  TEST_SEARCH_MIGRATIONS: D1Migration[]
} & Record<string, unknown>

/** test/vitest.worker.config.ts binds exactly these. */
function asTestEnv(value: unknown): TestEnv {
  return value as TestEnv
}

export const env = asTestEnv(bindings)
