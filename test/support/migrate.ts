/** Gives every test file of the workerd project databases with our schema. */
import { applyD1Migrations } from 'cloudflare:test'
import { env } from './env.ts'

for (const database of [env.DB, env.MAIL_2, env.MAIL_3]) await applyD1Migrations(database, env.TEST_MIGRATIONS)
await applyD1Migrations(env.SEARCH, env.TEST_SEARCH_MIGRATIONS)
