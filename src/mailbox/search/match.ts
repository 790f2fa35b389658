/** A query in the words of the index (FTS5). Every word is quoted, and holds nothing but letters and digits. */
import { FACT } from '../../store/search/words.ts'
import { dateFacts, datesBetween } from './dates.ts'
import type { Condition, Phrase, Query } from './query.ts'

/** What every message has, so that a query without words walks them all. */
const ANY = `${FACT}m`
const ATTACHMENT = `${FACT}a`
/** What no message has. */
const NEVER = `${FACT}x`
const DIRECTION = { received: `${FACT}r`, sent: `${FACT}s` } as const

/** Messages below 2^16 octets have no size among their facts: most are, and nobody looks for them by it. */
const LEAST_POWER = 16
const MOST_POWER = 30

/** What the index notes of a message beside its words. */
export function factsOf(message: {
  direction: number
  hasAttachment: boolean
  size: number
  createdAt: number
}): string {
  const power = Math.floor(Math.log2(Math.max(1, message.size)))
  return [
    ANY,
    message.direction === 0 ? DIRECTION.received : DIRECTION.sent,
    ...(message.hasAttachment ? [ATTACHMENT] : []),
    ...(power >= LEAST_POWER ? [sizeFact(Math.min(power, MOST_POWER))] : []),
    ...dateFacts(message.createdAt),
  ].join(' ')
}

/** The expression that finds what the query asks for, or somewhat more: what the index does not know is for the message's row to tell. */
export function matchOf({ phrases, conditions }: Query, direction?: 'received' | 'sent'): string {
  const facts = [...conditions.flatMap(factTerm), ...timeTerm(conditions)]
  const wanted = [...phrases, ...facts].filter(({ not }) => !not).map(expression)
  const unwanted = [...phrases, ...facts].filter(({ not }) => not).map(expression)
  if (direction) wanted.push(quoted([DIRECTION[direction]]))
  const all = wanted.length > 0 ? wanted.join(' AND ') : quoted([ANY])
  return unwanted.length > 0 ? `(${all}) NOT (${unwanted.join(' OR ')})` : all
}

/** A fact as a term of the index. */
type FactTerm = { any: string[]; not: boolean }

function factTerm(condition: Condition): FactTerm[] {
  const { not } = condition
  switch (condition.kind) {
    case 'attachment':
      return [{ any: [ATTACHMENT], not }]
    case 'direction':
      return [{ any: [DIRECTION[condition.direction]], not }]
    case 'larger': {
      const power = Math.floor(Math.log2(Math.max(1, condition.octets)))
      if (not || power < LEAST_POWER) return []
      const least = Math.min(power, MOST_POWER)
      return [{ any: Array.from({ length: MOST_POWER - least + 1 }, (_, more) => sizeFact(least + more)), not }]
    }
    default:
      return []
  }
}

/** The days that all conditions of time leave; the row tells the hours. */
function timeTerm(conditions: readonly Condition[]): FactTerm[] {
  const times = conditions.flatMap((each) =>
    each.kind === 'before' || each.kind === 'after'
      ? [{ time: each.time, after: (each.kind === 'after') !== each.not }]
      : [],
  )
  if (times.length === 0) return []
  const after = Math.max(...times.map(({ time, after }) => (after ? time : Number.NEGATIVE_INFINITY)))
  const before = Math.min(...times.map(({ time, after }) => (after ? Number.POSITIVE_INFINITY : time)))
  const dates = datesBetween(after, before)
  return [{ any: dates.length > 0 ? dates : [NEVER], not: false }]
}

function expression(term: Phrase | FactTerm): string {
  if ('any' in term) return `(${term.any.map((fact) => quoted([fact])).join(' OR ')})`
  const phrase = `${quoted(term.tokens)}${term.prefix ? ' *' : ''}`
  return term.field ? `(${term.field} : ${phrase})` : phrase
}

function quoted(tokens: readonly string[]): string {
  return `"${tokens.join(' ')}"`
}

function sizeFact(power: number): string {
  return `${FACT}z${power}`
}
