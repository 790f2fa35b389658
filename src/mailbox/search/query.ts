/** What somebody looks for, read out of what he typed. Words are only ever words here: nothing of them reaches the index as syntax. */
import { type FieldFault, Problem } from '../../base/problem.ts'
import { wordsOf } from './words.ts'

/** Where a word is looked for; undefined is everywhere. */
export type Field = 'sender' | 'recipients' | 'copies' | 'subject' | 'files' | 'body'

/** Words that stand in this order, next to each other. */
export type Phrase = {
  field: Field | undefined
  tokens: string[]
  /** The last of them is the beginning of a word. */
  prefix: boolean
  not: boolean
}

/** What is true of a message, whatever it says. */
export type Condition = (
  | { kind: 'keyword'; keyword: string }
  | { kind: 'attachment' }
  | { kind: 'direction'; direction: 'received' | 'sent' }
  | { kind: 'mailbox'; mailbox: string }
  | { kind: 'before' | 'after'; time: number }
  | { kind: 'larger' | 'smaller'; octets: number }
) & { not: boolean }

export type Query = { phrases: Phrase[]; conditions: Condition[] }

/** Nobody types more; every term costs the index a walk. */
export const MAX_QUERY = 512
const MAX_TERMS = 32

/** Tokens of all phrases: pairs of characters come one for each character. */
const MAX_TOKENS = 128

/** Fewer letters begin too many words: the index gathers all of them, of every account, before it answers. */
const MIN_PREFIX = 3

const FIELDS: Readonly<Record<string, Field>> = {
  from: 'sender',
  to: 'recipients',
  cc: 'copies',
  subject: 'subject',
  filename: 'files',
  body: 'body',
}

const STATES: Readonly<Record<string, { keyword: string; not?: true } | { direction: 'received' | 'sent' }>> = {
  unread: { keyword: '$seen', not: true },
  read: { keyword: '$seen' },
  flagged: { keyword: '$flagged' },
  answered: { keyword: '$answered' },
  draft: { keyword: '$draft' },
  received: { direction: 'received' },
  sent: { direction: 'sent' },
}

/** All that may stand before a colon. */
const OPERATORS: readonly string[] = [...Object.keys(FIELDS), 'has', 'is', 'in', 'before', 'after', 'larger', 'smaller']

/** A minus, a name with a colon, and a value: in quotes, or up to the next space or quote. A quote that is not closed goes to the end. */
const TERM = /(?<not>-?)(?:(?<name>[A-Za-z_]+):(?!\/\/))?(?:"(?<quoted>[^"]*)(?:"|$)|(?<bare>[^\s"]+))?/gy

/** Reads a query. @throws Problem invalid_parameter that names every term at fault. */
export function readQuery(text: string): Query {
  const query: Query = { phrases: [], conditions: [] }
  const faults: string[] = []
  if (text.length > MAX_QUERY) throw refused([`has at most ${MAX_QUERY} characters`])
  const terms = termsOf(straightened(text))
  for (const term of terms) readTerm(term, query, faults)
  if (terms.length > MAX_TERMS) faults.push(`has at most ${MAX_TERMS} terms`)
  if (query.phrases.reduce((sum, { tokens }) => sum + tokens.length, 0) > MAX_TOKENS) {
    faults.push(`has at most ${MAX_TOKENS} words`)
  }
  if (faults.length === 0 && query.phrases.length + query.conditions.length === 0) {
    faults.push('has no word to look for')
  }
  if (faults.length > 0) throw refused(faults)
  return query
}

type Term = { written: string; not: boolean; name: string | undefined; value: string; quoted: boolean }

/** Quotation marks of other keyboards mean the same. */
function straightened(text: string): string {
  return text
    .replace(/[“”„‟«»＂]/g, '"')
    .replaceAll('：', ':')
    .replaceAll('\0', ' ')
}

function termsOf(text: string): Term[] {
  const terms: Term[] = []
  let at = 0
  while (at < text.length) {
    TERM.lastIndex = at
    const match = TERM.exec(text)
    if (!match?.groups || match[0] === '') {
      at++
      continue
    }
    at += match[0].length
    const { not, name, quoted, bare } = match.groups
    terms.push({
      written: match[0],
      not: not === '-',
      name: name?.toLowerCase(),
      value: quoted ?? bare ?? '',
      quoted: quoted !== undefined,
    })
  }
  return terms
}

function readTerm(term: Term, query: Query, faults: string[]): void {
  const { name, value, not } = term
  const field = name !== undefined && Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined
  if (name === undefined || (field && value.trim() !== '')) {
    readPhrase(term, field, query, faults)
    return
  }
  if (!OPERATORS.includes(name)) {
    faults.push(
      `there is no ${name}: (there is ${OPERATORS.map((each) => `${each}:`).join(' ')}; a word with a colon goes into quotes)`,
    )
    return
  }
  if (value.trim() === '') {
    faults.push(`${name}: has no value`)
    return
  }
  const condition = readCondition(name, value.trim(), not)
  if (typeof condition === 'string') faults.push(condition)
  else query.conditions.push(condition)
}

function readPhrase(
  { value, quoted, not, written }: Term,
  field: Field | undefined,
  query: Query,
  faults: string[],
): void {
  const asked = !quoted && value.endsWith('*')
  const words = wordsOf(value)
  while (words.at(-1)?.optional) words.pop()
  const last = words.at(-1)
  if (!last) {
    // Punctuation alone says nothing where it stands among words; a field must say something.
    if (field) faults.push(`${written} has no word to look for`)
    return
  }
  // A star counts where it follows a word.
  const prefix = last.single || (asked && last.end === value.length - 1)
  if (asked && prefix && !last.single && [...last.text].length < MIN_PREFIX) {
    faults.push(`${written}: the beginning of a word has at least ${MIN_PREFIX} letters`)
    return
  }
  query.phrases.push({ field, tokens: words.map(({ text }) => text), prefix, not })
}

function readCondition(name: string, value: string, not: boolean): Condition | string {
  switch (name) {
    case 'has':
      return value.toLowerCase() === 'attachment' ? { kind: 'attachment', not } : 'has: takes attachment'
    case 'is':
      return stateOf(value.toLowerCase(), not) ?? `is: takes ${Object.keys(STATES).join(', ')}`
    case 'in':
      return { kind: 'mailbox', mailbox: value, not }
    case 'before':
    case 'after': {
      const time = timeOf(value)
      return time === undefined ? `${name}: takes a date such as 2026-01-31` : { kind: name, time, not }
    }
    default: {
      const octets = octetsOf(value)
      const kind = name === 'larger' ? 'larger' : 'smaller'
      return octets === undefined ? `${name}: takes a size such as 500k or 10M` : { kind, octets, not }
    }
  }
}

function stateOf(value: string, not: boolean): Condition | undefined {
  const state = Object.hasOwn(STATES, value) ? STATES[value] : undefined
  if (!state) return undefined
  if ('direction' in state) return { kind: 'direction', direction: state.direction, not }
  return { kind: 'keyword', keyword: state.keyword, not: not !== (state.not === true) }
}

/** The first moment of a year, a month or a day in UTC, or a moment as ISO 8601 writes it. */
function timeOf(value: string): number | undefined {
  const day = /^(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?$/.exec(value)
  if (day) {
    const [year, month, date] = [Number(day[1]), Number(day[2] ?? 1), Number(day[3] ?? 1)]
    const time = Date.UTC(year, month - 1, date)
    const real = new Date(time)
    return real.getUTCMonth() === month - 1 && real.getUTCDate() === date ? time : undefined
  }
  const exact = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(value)
    ? Date.parse(value)
    : Number.NaN
  return Number.isNaN(exact) ? undefined : exact
}

/** Octets; k, M and G are powers of 1024. */
function octetsOf(value: string): number | undefined {
  const size = /^(\d{1,12})([kmg]?)b?$/i.exec(value)
  if (!size) return undefined
  const power = { '': 0, k: 1, m: 2, g: 3 }[size[2]?.toLowerCase() ?? ''] ?? 0
  return Number(size[1]) * 1024 ** power
}

function refused(reasons: string[]): Problem {
  const fields: FieldFault[] = reasons.map((reason) => ({ path: 'q', reason }))
  return new Problem('invalid_parameter', `Invalid \`q\`: ${reasons.join('; ')}`, { fields })
}
