/** Search: the index says which messages may be meant, newest first, and their rows say the rest. */
import { describeError } from '../../base/log.ts'
import { Problem } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import type { Page } from '../../record/page.ts'
import type { MessageLine } from '../../store/mail/rows.ts'
import { type Fact, findLines, unknownMailboxes } from '../../store/search/lines.ts'
import { readSeq } from '../../store/search/source.ts'
import { type Hit, indexOf, type Look, lookUp } from '../../store/search/words.ts'
import type { Database } from '../../store/stores.ts'
import { catchUp } from './indexing.ts'
import { matchOf } from './match.ts'
import { type Condition, type Query, readQuery } from './query.ts'
import { type Mark, marksIn } from './snippet.ts'

/** What else narrows a search: the other parameters of a list. */
export type Narrowed = { mailbox?: string; thread?: string; address?: string; direction?: 'received' | 'sent' }

export type FoundLine = { line: MessageLine; marks: Mark[] }

export type Search = {
  found: FoundLine[]
  more: boolean
  /** Where to go on; there may be none on this page where many have the words but not the rest. */
  next: string | undefined
}

/** Messages that one request may look at: with more the page ends early, and tells where to go on. */
const MAX_LOOKED = 4000

/** Candidates of the first look where something is asked for that the index does not know; each next look takes twice as many. */
const FIRST_LOOK = 100

/** Candidates of one look at most: ids of so many go into one statement. */
const MOST_LOOK = 1000

/** Messages put into the index before an answer, and the ms that may take: what came since the last sweep, and the question waits for it. */
const MOST_INDEXED = 64
const MOST_WAIT = 2000

/** The same for what goes on after the answer, which has half a minute. */
const MOST_INDEXED_LATER = 500
const MOST_WAIT_LATER = 20_000

/** @throws Problem invalid_parameter, not_found (mailbox), service_unavailable. */
export async function search(ctx: Caller, q: string, narrowed: Narrowed, page: Page): Promise<Search> {
  const query = readQuery(q)
  const db = indexOf(ctx.stores, ctx.account)
  const ascending = page.before !== undefined
  const facts = factsFor(query, narrowed)
  const size = facts.length > 0 ? Math.max(FIRST_LOOK, page.limit + 1) : page.limit + 1
  const match = matchOf(query, narrowed.direction)
  const look = { match, ascending, limit: size }
  const [start] = await Promise.all([
    begin(ctx, db, look, page.after ?? page.before),
    checkMailboxes(ctx, query, narrowed),
  ])
  const { lines, next } = await collect(ctx, db, {
    ...start,
    facts,
    wanted: page.limit + 1,
  })
  const kept = lines.slice(0, page.limit)
  const more = lines.length > page.limit || next !== undefined
  const last = lines.length > page.limit ? kept.at(-1)?.id : next
  const found = kept.map((line) => ({ line, marks: marksIn(line.preview, query) }))
  return { found: ascending ? found.reverse() : found, more, next: last }
}

/** The first look, after the index was brought up to date; where a page follows another it begins at that one's end. */
async function begin(ctx: Caller, db: Database, look: Look, from: string | undefined): Promise<Look & { hits: Hit[] }> {
  const [seq, first] = await Promise.all([readSeq(ctx.stores, ctx.account), ask(ctx, db, look, from?.toLowerCase())])
  const fresh = seq === undefined || isKnown(ctx, seq) || (first.cursor && first.cursor.high >= seq)
  if (!fresh) await bringUp(ctx, db, seq, first.cursor)
  if (from === undefined) {
    return { ...look, hits: fresh ? first.hits : (await ask(ctx, db, look)).hits }
  }
  const bounded = first.place === undefined ? undefined : beyond(look, first.place)
  if (!bounded) throw refusedCursor(look)
  return { ...bounded, hits: (await ask(ctx, db, bounded)).hits }
}

/** Nobody is refused because the index is a little behind: what could be put in, the newest first, is found; the rest by a later search. */
async function bringUp(
  ctx: Caller,
  db: Database,
  seq: number,
  cursor: Awaited<ReturnType<typeof lookUp>>['cursor'],
): Promise<void> {
  const upTo = async (documents: number, wait: number) => {
    const budget = { documents, until: ctx.now() + wait }
    const done = await catchUp(ctx, db, ctx.account, { seq, cursor }, budget)
    if (done) noteKnown(ctx, seq)
    return done
  }
  try {
    if (!(await upTo(MOST_INDEXED, MOST_WAIT))) ctx.later(upTo(MOST_INDEXED_LATER, MOST_WAIT_LATER))
  } catch (error) {
    ctx.log('warn', 'the search index could not be brought up to date', { error: describeError(error) })
  }
}

/** Looks on until there are as many lines as wanted, nothing more is to be found, or enough was looked at. */
async function collect(
  ctx: Caller,
  db: Database,
  at: Look & { facts: Fact[]; hits: Hit[]; wanted: number },
): Promise<{ lines: MessageLine[]; next: string | undefined }> {
  const { facts, wanted, hits: firstHits, ...firstLook } = at
  const lines: MessageLine[] = []
  let [hits, look, looked]: [Hit[], Look, number] = [firstHits, firstLook, 0]
  for (;;) {
    const ids = hits.map(({ message }) => message)
    lines.push(...(await findLines(ctx.stores, ctx.account, ids, facts, wanted - lines.length)))
    looked += hits.length
    const last = hits.at(-1)
    if (!last || lines.length >= wanted || hits.length < look.limit) return { lines, next: undefined }
    if (looked >= MAX_LOOKED) return { lines, next: last.message }
    look = { ...beyond(look, last.n), limit: Math.min(look.limit * 2, MOST_LOOK, MAX_LOOKED - looked) }
    hits = (await ask(ctx, db, look)).hits
  }
}

function beyond(look: Look, place: number): Look {
  return look.ascending
    ? { ...look, above: Math.max(place, look.above ?? 0) }
    : { ...look, below: Math.min(place, look.below ?? place) }
}

async function checkMailboxes(ctx: Caller, { conditions }: Query, { mailbox }: Narrowed): Promise<void> {
  const named = conditions.flatMap((condition) => (condition.kind === 'mailbox' ? [condition.mailbox] : []))
  const unknown = await unknownMailboxes(ctx.stores, ctx.account, mailbox === undefined ? named : [...named, mailbox])
  if (mailbox !== undefined && unknown.includes(mailbox)) throw new Problem('not_found', 'Mailbox not found')
  if (unknown.length === 0) return
  const fields = unknown.map((name) => ({ path: 'q', reason: `there is no mailbox ${JSON.stringify(name)}` }))
  throw new Problem('invalid_parameter', `Invalid \`q\`: ${fields.map(({ reason }) => reason).join('; ')}`, { fields })
}

function factsFor({ conditions }: Query, { mailbox, thread, address }: Narrowed): Fact[] {
  return [
    ...conditions.filter(isForTheRow),
    ...(mailbox === undefined ? [] : [{ kind: 'mailbox' as const, mailbox, not: false }]),
    ...(thread === undefined ? [] : [{ kind: 'thread' as const, thread, not: false }]),
    ...(address === undefined ? [] : [{ kind: 'address' as const, address, not: false }]),
  ]
}

/** The index knows the others. */
function isForTheRow(condition: Condition): condition is Exclude<Condition, { kind: 'attachment' | 'direction' }> {
  return condition.kind !== 'attachment' && condition.kind !== 'direction'
}

/** Which step of which account this isolate has seen in the index, and until when it trusts that. */
const known = new Map<string, { seq: number; until: number }>()
const KNOWN_MS = 30_000
const MAX_KNOWN = 1000

function isKnown({ account, now }: Caller, seq: number): boolean {
  const seen = known.get(account.id)
  return seen !== undefined && seen.seq >= seq && seen.until > now()
}

function noteKnown({ account, now }: Caller, seq: number): void {
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(account.id, { seq, until: now() + KNOWN_MS })
}

/** The index is apart from the mail: its trouble is told as what it is. */
async function ask(ctx: Caller, db: Database, look: Look, from?: string): ReturnType<typeof lookUp> {
  try {
    return await lookUp(db, ctx.account.number, look, from)
  } catch (error) {
    ctx.log('error', 'the search index does not answer', { error: describeError(error) })
    throw new Problem('service_unavailable', 'The search index does not answer.', {
      fix: 'Try again in a few seconds; mail itself is not concerned.',
      retryAfter: 5,
    })
  }
}

function refusedCursor({ ascending }: Look): Problem {
  const path = ascending ? 'before' : 'after'
  const reason = 'that message is no longer to be found: begin again'
  return new Problem('invalid_parameter', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }] })
}
