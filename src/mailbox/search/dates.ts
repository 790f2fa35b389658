/** Time as facts of the index: a message has its year, its month and its day (UTC), so that a span is some years, months and days. */
import { FACT } from '../../store/search/words.ts'

const DAY = 86_400_000

/** Mail of other times counts to the first or the last day of these. */
const FIRST = Date.UTC(1970, 0)
const LAST = Date.UTC(2100, 0) - DAY

/** The facts of a moment. */
export function dateFacts(time: number): string[] {
  const [year, month, day] = partsOf(inBounds(time))
  return [yearFact(year), monthFact(year, month), dayFact(year, month, day)]
}

/** The fewest facts one of which every message between the two has: from the day of `after` to the last day before `before`. */
export function datesBetween(after: number, before: number): string[] {
  if (after >= before) return []
  const facts: string[] = []
  const last = dayOf(inBounds(before - 1))
  for (let at = dayOf(inBounds(after)); at <= last; ) {
    const [year, month, day] = partsOf(at)
    const [nextYear, nextMonth] = [Date.UTC(year + 1, 0), Date.UTC(year, month + 1)]
    const startsMonth = day === 1
    if (startsMonth && month === 0 && nextYear - DAY <= last) {
      facts.push(yearFact(year))
      at = nextYear
    } else if (startsMonth && nextMonth - DAY <= last) {
      facts.push(monthFact(year, month))
      at = nextMonth
    } else {
      facts.push(dayFact(year, month, day))
      at += DAY
    }
  }
  return facts
}

function inBounds(time: number): number {
  return Math.min(Math.max(time, FIRST), LAST)
}

function dayOf(time: number): number {
  return Math.floor(time / DAY) * DAY
}

/** Year, month from 0, day from 1. */
function partsOf(time: number): [number, number, number] {
  const date = new Date(time)
  return [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
}

function yearFact(year: number): string {
  return `${FACT}y${year}`
}

function monthFact(year: number, month: number): string {
  return `${FACT}n${year}${two(month + 1)}`
}

function dayFact(year: number, month: number, day: number): string {
  return `${FACT}d${year}${two(month + 1)}${two(day)}`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}
