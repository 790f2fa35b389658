/** Makes an account's inbox large: copies of a message that was really received, written into the local database while nobody has it open. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** What a copy has for itself, in SQL over `n`, its number, and `m`, the message that is copied. The hashes are strewn as real ones are. */
const OWN: Record<string, string> = {
  id: `printf('%08x-%04x-7%03x-8000-%012x', :now + n >> 16, :now + n & 65535, n & 4095, n)`,
  created_at: ':now + n',
  uid: ':seq + n',
  filed: ':seq + n',
  modseq: ':seq + n',
  thread: strewn(2654435761),
  msgid_hash: strewn(2246822519),
  dedupe: strewn(3266489917),
}

/** Fills the inbox of the account up to `total` messages. */
export function fillInbox(state: string, accountId: string, total: number): void {
  const db = openMailOf(state, accountId)
  try {
    const counters = db.prepare('SELECT account, seq, messages FROM counters WHERE account_id = ?').get(accountId)
    if (!counters) throw new Error('the account has no counters')
    const [account, seq, messages] = [Number(counters.account), Number(counters.seq), Number(counters.messages)]
    const columns = db.prepare(`SELECT name FROM pragma_table_info('messages')`).all().map(nameOf)
    const more = total - messages
    db.exec('BEGIN')
    db.prepare(
      `WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < :more)
      INSERT INTO messages (${columns.join(', ')}) SELECT ${columns.map((name) => OWN[name] ?? `m.${name}`).join(', ')}
      FROM copies, (SELECT * FROM messages WHERE account = :account AND direction = 0 LIMIT 1) AS m`,
    ).run({ more, account, seq, now: Date.now() })
    db.prepare(
      `UPDATE counters SET seq = seq + :more, messages = messages + :more, bytes = bytes + :more * 6000,
        boxes = json_set(boxes, '$."1"', json_array(messages + :more, messages + :more)) WHERE account = :account`,
    ).run({ more, account })
    db.exec('COMMIT')
  } finally {
    db.close()
  }
}

/** Of the SQLite files of local D1, the one that holds the account's mail. */
export function openMailOf(state: string, accountId: string): DatabaseSync {
  return openDatabase(state, 'counters', (db) =>
    Boolean(db.prepare('SELECT 1 FROM counters WHERE account_id = ?').get(accountId)),
  )
}

/** Of the SQLite files of local D1, the first that has the table, and of which more is true where that is asked. */
export function openDatabase(
  state: string,
  table: string,
  is: (db: DatabaseSync) => boolean = () => true,
): DatabaseSync {
  const folder = join(state, 'v3/d1/miniflare-D1DatabaseObject')
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.sqlite'))) {
    const db = new DatabaseSync(join(folder, name))
    if (db.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(table) && is(db)) return db
    db.close()
  }
  throw new Error(`no database with the table ${table} lies in ${folder}`)
}

function nameOf(row: Record<string, unknown>): string {
  return String(row.name)
}

/** 16 hexadecimal digits that no other copy has. */
function strewn(odd: number): string {
  return `printf('%08x%08x', n * ${odd} & 4294967295, n)`
}
