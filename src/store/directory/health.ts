/** Whether the databases answer and have the schema that this code needs. */
import { sql } from 'drizzle-orm'
import type { Stores } from '../stores.ts'

/** The databases that do not answer, or lack a table. */
export async function findDown(stores: Stores): Promise<string[]> {
  const asked = await Promise.all(
    [...stores.mail].map(async ([name, database]) => {
      // A database that is down may throw before there is anything to wait for.
      const answers = async () => database.all(sql`SELECT marks FROM messages LIMIT 1`)
      return answers().then(
        () => undefined,
        () => name,
      )
    }),
  )
  return asked.filter((name) => name !== undefined)
}
