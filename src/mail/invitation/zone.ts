/** Local times of a calendar as instants: by the zone that the calendar describes, else by the name of one. No rule is expanded. */
import { type Component, firstProperty, isRecord, type Property, paramOf, textOf } from './calendar.ts'

/** A time as it can be told. */
export type Told = {
  /** ISO 8601: an instant in UTC, a date where it is of a whole day, a local time where its zone is not known. */
  at: string
  /** Milliseconds since 1970; a date or a local time is taken as UTC. */
  ms: number
  allDay: boolean
  /** TZID as it was written. */
  zone: string | null
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(Z?)$/

/** What a DTSTART, DTEND or the like says; undefined where it is no time. */
export function timeOf(calendar: Component, property: Property | undefined): Told | undefined {
  const value = property?.values[0]
  if (!property || typeof value !== 'string') return undefined
  const date = DATE.exec(value)
  if (date) {
    const ms = Date.parse(value)
    return Number.isNaN(ms) ? undefined : { at: value, ms, allDay: true, zone: null }
  }
  const parts = DATE_TIME.exec(value)
  const local = parts ? Date.parse(`${value.slice(0, 19)}Z`) : Number.NaN
  if (Number.isNaN(local)) return undefined
  if (parts?.[7] === 'Z') return { at: isoTime(local), ms: local, allDay: false, zone: null }
  const zone = paramOf(property, 'tzid')
  const offset = zone === undefined ? undefined : (describedOffset(calendar, zone, local) ?? namedOffset(zone, local))
  if (zone === undefined || offset === undefined) {
    return { at: value.slice(0, 19), ms: local, allDay: false, zone: zone?.slice(0, 200) ?? null }
  }
  return { at: isoTime(local - offset), ms: local - offset, allDay: false, zone: zone.slice(0, 200) }
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

/** The calendar's own description of a zone (RFC 5545 section 3.6.5). */
export function describedZone(calendar: Component, zone: string): Component | undefined {
  return calendar.components.find((component) => component.name === 'vtimezone' && textOf(component, 'tzid') === zone)
}

/** Zones of a hundred years of changes have some sixty parts. */
const MAX_OBSERVANCES = 200

/** ms east of UTC at a local time: of the observance that began last. */
function describedOffset(calendar: Component, name: string, local: number): number | undefined {
  const observances = describedZone(calendar, name)?.components.slice(0, MAX_OBSERVANCES) ?? []
  let last: { onset: number; offset: number } | undefined
  let first: { onset: number; before: number } | undefined
  for (const observance of observances) {
    const offset = offsetOf(textOf(observance, 'tzoffsetto'))
    const start = Date.parse(`${textOf(observance, 'dtstart')?.slice(0, 19)}Z`)
    if (offset === undefined || Number.isNaN(start)) continue
    const before = offsetOf(textOf(observance, 'tzoffsetfrom')) ?? offset
    if (!first || start < first.onset) first = { onset: start, before }
    const onset = lastOnset(observance, start, local)
    if (onset !== undefined && (!last || onset > last.onset)) last = { onset, offset }
  }
  return last?.offset ?? first?.before
}

/** When an observance began last before a local time: at its start, or by its yearly rule, the one form that zones use. */
function lastOnset(observance: Component, start: number, local: number): number | undefined {
  if (start > local) return undefined
  const rule = firstProperty(observance, 'rrule')?.values[0]
  if (!isRecord(rule) || rule.freq !== 'YEARLY') return start
  const until =
    typeof rule.until === 'string' ? Date.parse(rule.until.endsWith('Z') ? rule.until : `${rule.until}Z`) : local
  const year = new Date(local).getUTCFullYear()
  const onsets = [year, year - 1].map((one) => onsetIn(one, rule, start))
  return (
    onsets.find((onset) => onset !== undefined && onset >= start && onset <= local && !(onset > until)) ??
    (until < local ? onsetIn(new Date(until).getUTCFullYear(), rule, start) : start)
  )
}

const DAYS = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA']

/** `BYMONTH=3;BYDAY=-1SU` in a year, at the hour at which the observance began. */
function onsetIn(year: number, rule: Record<string, unknown>, start: number): number | undefined {
  const first = new Date(start)
  const month = Number(one(rule.bymonth) ?? first.getUTCMonth() + 1) - 1
  const time = start - Math.floor(start / 86_400_000) * 86_400_000
  const byDay = /^([+-]?[1-5])?([A-Z]{2})$/.exec(String(one(rule.byday) ?? ''))
  const weekday = DAYS.indexOf(byDay?.[2] ?? '')
  if (weekday < 0) return Date.UTC(year, month, Number(one(rule.bymonthday) ?? first.getUTCDate())) + time
  const nth = Number(byDay?.[1] ?? 1)
  if (nth > 0) {
    const opens = new Date(Date.UTC(year, month, 1)).getUTCDay()
    return Date.UTC(year, month, 1 + ((weekday - opens + 7) % 7) + (nth - 1) * 7) + time
  }
  const last = new Date(Date.UTC(year, month + 1, 0))
  const back = (last.getUTCDay() - weekday + 7) % 7
  return last.getTime() - (back + (-nth - 1) * 7) * 86_400_000 + time
}

function one(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value
}

function offsetOf(text: string | undefined): number | undefined {
  const parts = /^([+-])(\d{2}):?(\d{2})/.exec(text ?? '')
  if (!parts) return undefined
  return (parts[1] === '-' ? -1 : 1) * (Number(parts[2]) * 60 + Number(parts[3])) * 60_000
}

/** QUIRK: some write a path or a word before the name of the zone. */
const ZONE_NAME = /([A-Z][A-Za-z]{1,20}\/[A-Za-z_+-]{1,30}(?:\/[A-Za-z_]{1,30})?|UTC)$/

/** ms east of UTC at a local time, by the platform's own zones. */
function namedOffset(zone: string, local: number): number | undefined {
  const name = ZONE_NAME.exec(zone.slice(-100))?.[1]
  if (name === undefined) return undefined
  try {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: name, hourCycle: 'h23', ...CLOCK })
    // The offset at what would be the instant, then at the instant that this offset gives.
    const guess = offsetAt(format, local)
    return offsetAt(format, local - guess)
  } catch {
    return undefined
  }
}

const CLOCK = {
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
} as const

function offsetAt(format: Intl.DateTimeFormat, instant: number): number {
  const part = (parts: Intl.DateTimeFormatPart[], type: string) =>
    Number(parts.find((found) => found.type === type)?.value)
  const parts = format.formatToParts(instant)
  const [year, month, day] = [part(parts, 'year'), part(parts, 'month'), part(parts, 'day')]
  return Date.UTC(year, month - 1, day, part(parts, 'hour'), part(parts, 'minute'), part(parts, 'second')) - instant
}
