/** When a mail is to go: an instant in ISO 8601, or so long from now. */
import { Problem } from '../../base/problem.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A year, a leap year's day more included: what is planned for later is better planned elsewhere. */
const HORIZON = 366 * DAY

/** Reads `scheduled_at`: ms since 1970. @throws Problem invalid_parameter where it is no time that can be waited for. */
export function readSchedule(text: string, now: number): number {
  const at = readInstant(text.trim()) ?? readDelay(text.trim(), now)
  if (at === undefined) throw refused('is no time that we understand', 'is not a valid date or delay')
  if (at <= now) throw refused('is in the past', 'must be in the future')
  if (at > now + HORIZON) throw refused('is over a year away', 'must be within a year')
  return at
}

const INSTANT = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))? ?([Zz]|[+-]\d\d:?\d\d)$/

/** A zone is a must (RFC 3339 section 5.6): without one, nobody could say whose nine o'clock is meant. */
function readInstant(text: string): number | undefined {
  const [, day = '', time = '', seconds = ':00', fraction = '', zone = ''] = INSTANT.exec(text) ?? []
  if (!isDay(day)) return undefined
  const offset = zone.toUpperCase().replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')
  const at = Date.parse(`${day}T${time}${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}${offset}`)
  return Number.isNaN(at) ? undefined : at
}

/** The thirtieth of February would be read as a day of March. */
function isDay(day: string): boolean {
  const midnight = Date.parse(`${day}T00:00:00Z`)
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(day)
}

const DELAY = /^in (an?|\d{1,7}) ?(m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)$/i

const UNITS: Readonly<Record<string, number>> = { m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY }

function readDelay(text: string, now: number): number | undefined {
  const [, count = '', unit = ''] = DELAY.exec(text.replace(/\s+/g, ' ')) ?? []
  const length = UNITS[unit.charAt(0).toLowerCase()]
  if (length === undefined) return undefined
  return now + (/^a/i.test(count) ? 1 : Number(count)) * length
}

function refused(what: string, reason: string): Problem {
  return new Problem('invalid_parameter', `\`scheduled_at\` ${what}.`, {
    fields: [{ path: 'scheduled_at', reason }],
    fix: 'Give ISO 8601 with a zone (2027-01-31T09:00:00+05:00), or `in 30 minutes`, `in 2 hours`, `in 3 days`: a year ahead at most.',
  })
}
