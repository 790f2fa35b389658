/** An invitation (RFC 5546) as programs want it: who asks whom, when, and what there is to say to it. */
import ICAL from 'ical.js'
import { charsetOf, decodeUnlabelled } from '../mime/charset.ts'
import { isCalendar, type Part } from '../mime/parts.ts'
import {
  type Component,
  firstProperty,
  MAX_CALENDAR,
  type Property,
  paramOf,
  parseCalendar,
  textOf,
} from './calendar.ts'
import { isoTime, type Told, timeOf } from './zone.ts'

export type Invitee = {
  name: string | null
  address: string
  /** PARTSTAT in lower case. */
  status: string
  /** ROLE in lower case. */
  role: string
  rsvp: boolean
}

export type Invitation = {
  /** REQUEST, CANCEL, REPLY, PUBLISH …, in lower case; null where neither the calendar nor the part says it. */
  method: string | null
  /** Null where the object breaks the rule that it has one; then there is nothing to answer. */
  uid: string | null
  sequence: number
  summary: string | null
  description: string | null
  location: string | null
  organizer: { name: string | null; address: string } | null
  attendees: Invitee[]
  /** ISO 8601: an instant in UTC, a date where it is of whole days, a local time where its zone is not known. */
  starts_at: string | null
  /** The end, which is not part of it; told from a duration where it is given so. */
  ends_at: string | null
  all_day: boolean
  timezone: string | null
  /** The rule as RFC 5545 writes it; its dates are not worked out. */
  recurrence: string | null
  /** Which instance of a series it is about. */
  recurrence_id: string | null
  /** confirmed, tentative, cancelled; null where nothing is said. */
  status: string | null
  /** Whether an answer is asked for and could be sent: a request with somebody to answer. */
  answerable: boolean
  /** attendee_limit: only the first are told. text_limit: a text was cut. */
  problems: ('attendee_limit' | 'text_limit')[]
}

/** They are told in every answer and webhook. */
const MAX_ATTENDEES = 200

/** What a list or a notice shows. */
const MAX_LINE = 500
const MAX_DESCRIPTION = 16 * 1024

/** UIDs are to be below 255 octets (RFC 7986 section 5.3). */
const MAX_UID = 1000

/** The part of a message that holds its invitation: one with a method before one without, a part before a file. */
export function findCalendarPart(parts: readonly Part[]): Part | undefined {
  const found = parts.filter(isCalendar)
  return (
    found.find(({ type, method }) => type === 'text/calendar' && method) ??
    found.find(({ type }) => type === 'text/calendar') ??
    found[0]
  )
}

/** Encoded octets of a calendar that are worth a read. */
export const MAX_CALENDAR_OCTETS = 2 * MAX_CALENDAR

/** The calendar's text: UTF-8 where nothing is said (RFC 5545 section 3.1.4). */
export function calendarText(part: Part, bytes: Uint8Array): string {
  const label = part.charset?.trim().toLowerCase()
  return label ? charsetOf(label).decoder.decode(bytes) : decodeUnlabelled(bytes)
}

/** Reads the event of a calendar; undefined where there is none that could be read. `method` is what its part says. */
export function readInvitation(text: string, method?: string): Invitation | undefined {
  const calendar = parseCalendar(text)
  const event = calendar && mainEvent(calendar)
  const uid = event && textOf(event, 'uid')
  if (!calendar || !event || (uid?.length ?? 0) > MAX_UID) return undefined
  const problems = new Set<Invitation['problems'][number]>()
  const line = (name: string, most = MAX_LINE) => cut(textOf(event, name), most, problems)
  const all = event.properties.filter(({ name }) => name === 'attendee')
  if (all.length > MAX_ATTENDEES) problems.add('attendee_limit')
  const organizer = asParty(firstProperty(event, 'organizer'))
  const starts = timeOf(calendar, firstProperty(event, 'dtstart'))
  const ends = endOf(calendar, event, starts)
  const asked = (textOf(calendar, 'method') ?? method)?.slice(0, 40).toLowerCase() ?? null
  return {
    method: asked,
    uid: uid || null,
    sequence: sequenceOf(event),
    summary: line('summary'),
    description: line('description', MAX_DESCRIPTION),
    location: line('location'),
    organizer,
    attendees: all.slice(0, MAX_ATTENDEES).flatMap((property) => asInvitee(property) ?? []),
    starts_at: starts?.at ?? null,
    ends_at: ends,
    all_day: starts?.allDay ?? false,
    timezone: starts?.zone ?? null,
    recurrence: ruleOf(event),
    recurrence_id: timeOf(calendar, firstProperty(event, 'recurrence-id'))?.at ?? null,
    status: textOf(event, 'status')?.slice(0, 40).toLowerCase() ?? null,
    answerable: asked === 'request' && Boolean(uid) && organizer !== null && starts !== undefined,
    problems: [...problems],
  }
}

/** The event that a calendar is about: the series before its exceptions. */
export function mainEvent(calendar: Component): Component | undefined {
  const events = calendar.components.filter(({ name }) => name === 'vevent')
  return events.find((event) => !firstProperty(event, 'recurrence-id')) ?? events[0]
}

export function sequenceOf(event: Component): number {
  const value = Number(firstProperty(event, 'sequence')?.values[0] ?? 0)
  return Number.isSafeInteger(value) && value >= 0 ? value : 0
}

/** The address of an ORGANIZER or ATTENDEE: of its mailto URI or, where that is none, of its EMAIL (RFC 7986 section 6.2). */
export function addressOf(property: Property | undefined): string | undefined {
  const value = property?.values[0]
  const uri = typeof value === 'string' ? value.trim() : ''
  const told = /^mailto:/i.test(uri) ? unescaped(uri.slice('mailto:'.length)) : uri
  return [told, property ? (paramOf(property, 'email') ?? '') : ''].find((address) =>
    /^[^\s<>@]{1,64}@[^\s<>@]{1,255}$/.test(address),
  )
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text.slice(0, 1000))
  } catch {
    return text
  }
}

function asParty(property: Property | undefined): { name: string | null; address: string } | null {
  const address = addressOf(property)
  if (!property || address === undefined) return null
  return { name: paramOf(property, 'cn')?.trim().slice(0, MAX_LINE) || null, address }
}

function asInvitee(property: Property): Invitee | undefined {
  const party = asParty(property)
  if (!party) return undefined
  const word = (name: string, otherwise: string) => (paramOf(property, name) ?? otherwise).slice(0, 40).toLowerCase()
  return {
    ...party,
    status: word('partstat', 'needs-action'),
    role: word('role', 'req-participant'),
    rsvp: word('rsvp', 'false') === 'true',
  }
}

/** DTEND, else DTSTART and DURATION, else the day for a date and the moment for a time (RFC 5545 section 3.6.1). */
function endOf(calendar: Component, event: Component, starts: Told | undefined): string | null {
  const told = timeOf(calendar, firstProperty(event, 'dtend'))
  if (told) return told.at
  if (!starts) return null
  const duration = seconds(textOf(event, 'duration')) ?? (starts.allDay ? 86_400 : 0)
  const ms = starts.ms + duration * 1000
  if (Math.abs(ms) > MAX_MS) return null
  return starts.at.endsWith('Z') ? isoTime(ms) : isoTime(ms).slice(0, starts.at.length)
}

/** The end of the year 9999. */
const MAX_MS = 253_402_300_799_000

function seconds(text: string | undefined): number | undefined {
  if (text === undefined || text.length > 40) return undefined
  try {
    return ICAL.Duration.fromString(text).toSeconds()
  } catch {
    return undefined
  }
}

function ruleOf(event: Component): string | null {
  const rule = firstProperty(event, 'rrule')?.values[0]
  try {
    return typeof rule === 'object' && rule !== null ? ICAL.Recur.fromData(rule).toString().slice(0, MAX_LINE) : null
  } catch {
    return null
  }
}

function cut(text: string | undefined, most: number, problems: Set<'attendee_limit' | 'text_limit'>): string | null {
  if (text === undefined || text === '') return null
  if (text.length > most) problems.add('text_limit')
  return text.slice(0, most).toWellFormed()
}
