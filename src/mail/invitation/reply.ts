/** The answer to an invitation: an iTIP REPLY (RFC 5546 section 3.2.3) with the one attendee who answers. */
import ICAL from 'ical.js'
import { type Component, firstProperty, type Property, paramOf, parseCalendar, textOf } from './calendar.ts'
import { addressOf, mainEvent, sequenceOf } from './invitation.ts'
import { describedZone } from './zone.ts'

export type Answer = 'accepted' | 'declined' | 'tentative'

/** Writes the reply of the attendee with this address to the invitation in `text`; undefined where it holds none for him. */
export function writeReply(
  text: string,
  reply: { attendee: string; answer: Answer; comment?: string; now: number },
): string | undefined {
  const calendar = parseCalendar(text)
  const event = calendar && mainEvent(calendar)
  const uid = event && textOf(event, 'uid')
  const organizer = event && firstProperty(event, 'organizer')
  const asked = event && attendeeOf(event, reply.attendee)
  if (!calendar || !event || !uid || !organizer || !asked) return undefined
  const instance = firstProperty(event, 'recurrence-id')
  const starts = firstProperty(event, 'dtstart')
  const summary = textOf(event, 'summary')
  const properties = [
    written('uid', {}, 'text', uid),
    written('dtstamp', {}, 'date-time', `${new Date(reply.now).toISOString().slice(0, 19)}Z`),
    written('sequence', {}, 'integer', sequenceOf(event)),
    // As it was written, its zone with it: the organiser finds the instance by it.
    ...(instance ? [asWritten(instance)] : []),
    ...(starts ? [asWritten(starts)] : []),
    written('organizer', named(organizer), 'cal-address', uriOf(organizer)),
    written('attendee', { ...named(asked), partstat: reply.answer.toUpperCase() }, 'cal-address', uriOf(asked)),
    ...(summary === undefined ? [] : [written('summary', {}, 'text', summary)]),
    ...(reply.comment ? [written('comment', {}, 'text', plain(reply.comment))] : []),
  ]
  const zones = new Set([instance, starts].flatMap((property) => (property && paramOf(property, 'tzid')) ?? []))
  const described = [...zones].flatMap((zone) => describedZone(calendar, zone) ?? [])
  const root = [
    'vcalendar',
    [
      written('prodid', {}, 'text', '-//Pochta//Answer//EN'),
      written('version', {}, 'text', '2.0'),
      written('method', {}, 'text', 'REPLY'),
    ],
    [...described.map(asWrittenWhole), ['vevent', properties, []]],
  ]
  return `${ICAL.stringify(root)}\r\n`
}

/** The addresses of all who are invited, also of those beyond what an invitation tells. */
export function invitedAddresses(text: string): string[] {
  const calendar = parseCalendar(text)
  const event = calendar && mainEvent(calendar)
  return (event?.properties ?? []).flatMap((property) =>
    property.name === 'attendee' ? (addressOf(property) ?? []) : [],
  )
}

/** The ATTENDEE with an address; the case of letters does not matter. */
export function attendeeOf(event: Component, address: string): Property | undefined {
  return event.properties.find(
    (property) => property.name === 'attendee' && addressOf(property)?.toLowerCase() === address.toLowerCase(),
  )
}

type Written = [name: string, params: Record<string, unknown>, type: string, ...values: unknown[]]

function written(name: string, params: Record<string, unknown>, type: string, value: unknown): Written {
  return [name, params, type, value]
}

function asWritten({ name, params, type, values }: Property): Written {
  return [name, params, type, ...values]
}

function asWrittenWhole({ name, properties, components }: Component): unknown[] {
  return [name, properties.map(asWritten), components.map(asWrittenWhole)]
}

/** Line breaks are escaped by the writer; other control characters no reader takes. */
function plain(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[\0-\x08\x0b-\x1f\x7f]/g, ' ')
    .toWellFormed()
}

function named(property: Property): Record<string, unknown> {
  const name = paramOf(property, 'cn')
  return name === undefined ? {} : { cn: name }
}

function uriOf(property: Property): string {
  const value = property.values[0]
  return typeof value === 'string' && /^mailto:/i.test(value) ? value : `mailto:${addressOf(property) ?? ''}`
}
