/** How fast mail is found by its words in a large account, beside a page of the plain list: that is one D1 query. */
import { indexable } from '../src/mailbox/search/words.ts'
import type { Side } from './accepting.ts'
import { type Account, reading } from './account.ts'
import { openDatabase, openMailOf } from './fill.ts'
import { type Load, load, sideBySide } from './load.ts'
import { median } from './statistics.ts'
import type { Row } from './table.ts'

/** One after the other, so that no queue is measured. */
const REQUESTS = 30
const ROUNDS = 3

/** Words of a mail: a short one of some lines. */
const WORDS = 60

/** As large as that of a person's mail; the n-th word comes about once in n. */
const VOCABULARY = 40_000
const SYLLABLES = 'ka lo mi ne ro ta su vi po de in er an th on'.split(' ')

/** What is looked for. */
const SEARCHES: Record<string, string> = {
  'a word that most mails have': wordOf(0),
  'a word of one mail': 'yagona',
  'two common words': `${wordOf(1)} ${wordOf(2)}`,
  'a phrase': `"${wordOf(1)} ${wordOf(2)}"`,
  'a word’s beginning': `${wordOf(2000).slice(0, 4)}*`,
  'a sender, a word, and another not': `from:mijoz77 ${wordOf(1)} -${wordOf(3)}`,
  'a word in unread mail of a mailbox': `${wordOf(5)} is:unread in:inbox`,
  東京: '東京',
}

/** Puts every message of the account into the index, with words of a made-up language, while nobody has it open. */
export function fillIndex(state: string, accountId: string): void {
  const mail = openMailOf(state, accountId)
  const index = openDatabase(state, 'words')
  try {
    const counters = mail.prepare('SELECT account, seq FROM counters WHERE account_id = ?').get(accountId)
    const [account, seq] = [Number(counters?.account), Number(counters?.seq)]
    const messages = mail
      .prepare('SELECT id, filed, raw_key FROM messages WHERE account = ? ORDER BY filed')
      .all(account)
    index.exec('BEGIN')
    index.prepare('DELETE FROM words WHERE rowid > ? AND rowid < ?').run(base(account), base(account + 1))
    const insert = index.prepare(
      `INSERT INTO words (rowid, message, raw, subject, sender, recipients, copies, files, body, facts)
        VALUES (?, ?, ?, ?, ?, 'hello reader test', '', '', ?, ?)`,
    )
    const random = chance()
    for (const [at, { id, filed, raw_key }] of messages.entries()) {
      const body = Array.from({ length: WORDS }, () => wordOf(Math.floor(VOCABULARY ** random())))
      if (at === 4321) body.push('yagona')
      if (at % 50 === 0) body.push(indexable('東京タワー'))
      const facts = `\ue000m \ue000r \ue000i${String(id).replaceAll('-', '')}`
      const place = base(account) + BigInt(Number(filed))
      insert.run(
        place,
        String(id),
        String(raw_key),
        wordOf(at % 900),
        `mijoz${at % 100} far test`,
        body.join(' '),
        facts,
      )
    }
    index
      .prepare('INSERT OR REPLACE INTO cursors (account, high, low, clearing) VALUES (?, ?, NULL, 0)')
      .run(account, seq)
    index.exec('COMMIT')
  } finally {
    mail.close()
    index.close()
  }
}

/** Each search beside the list, in the same rounds. */
export async function measureSearch({ caller }: Side, account: Account, held: number): Promise<Row[]> {
  const rows: Row[] = []
  for (const [what, q] of Object.entries(SEARCHES)) {
    const path = `/messages?limit=20&q=${encodeURIComponent(q)}`
    const found = (await caller.call(reading(account, path))).body.match(/"object":"message"/g)?.length ?? 0
    const pairs = await sideBySide<Load>(
      ROUNDS,
      () => load(caller, REQUESTS, 1, () => reading(account, '/messages?limit=20')),
      () => load(caller, REQUESTS, 1, () => reading(account, path)),
    )
    const of = (side: 'floor' | 'ours', figure: 'p50' | 'p95') => median(pairs.map((pair) => pair[side][figure]))
    const cost = pairs.at(-1)?.ours.cost
    rows.push({
      what: `GET /messages?q=, ${what}, of ${held.toLocaleString('en')}`,
      unit: 'ms',
      floor: of('floor', 'p50'),
      ours: of('ours', 'p50'),
      ratio: of('ours', 'p50') / of('floor', 'p50'),
      ...(cost ? { cost } : {}),
      note: `${found} found; 95 % within ${of('ours', 'p95').toFixed(1)} ms; beside a page of the list, 95 % within ${of('floor', 'p95').toFixed(1)} ms`,
    })
  }
  return rows
}

function base(account: number): bigint {
  return BigInt(account) << 32n
}

function wordOf(rank: number): string {
  let word = ''
  for (let rest = rank + 3000; rest > 0; rest = Math.floor(rest / SYLLABLES.length))
    word += SYLLABLES[rest % SYLLABLES.length]
  return word
}

/** The same in every run. */
function chance(): () => number {
  let state = 1
  return () => {
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return state / 0x7fffffff
  }
}
