/** Whether the databases answer and have the schema that this code needs. */
import { sql } from 'drizzle-orm'
import type { Stores } from '../stores.ts'

/** Throws where a database does not answer, or lacks a table. */
export async function checkDatabases(stores: Stores): Promise<void> {
  await Promise.all([...stores.mail.values()].map((database) => database.all(sql`SELECT 1 FROM tasks LIMIT 1`)))
}
