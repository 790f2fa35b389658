import { existsSync, readdirSync, readFileSync } from 'node:fs'
import ICAL from 'ical.js'
import { describe, expect, test } from 'vitest'
import { MAX_CALENDAR } from '../../../src/mail/invitation/calendar.ts'
import { readInvitation } from '../../../src/mail/invitation/invitation.ts'

const corpus = new URL('../../../../shared/corpora/calendar/', import.meta.url)

const calendar = (event: string[], ...around: string[]) =>
  [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'METHOD:REQUEST',
    ...around,
    'BEGIN:VEVENT',
    'UID:u@far.test',
    ...event,
    'END:VEVENT',
  ]
    .concat('END:VCALENDAR', '')
    .join('\r\n')

const REQUEST = [
  'SUMMARY:Choy\\, plov',
  'DTSTART:20261201T050000Z',
  'DTEND:20261201T060000Z',
  'SEQUENCE:2',
  'LOCATION:Toshkent',
  'DESCRIPTION:Line one\\nline ',
  ' two',
  'ORGANIZER;CN="Ann, Boss":MAILTO:ann@far.test',
  'ATTENDEE;CN=Me;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:hello@near.test',
  'ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=ACCEPTED:mailto:o%2Bx@far.test',
  'ATTENDEE;CN=Room:urn:uuid:1',
  'RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=TU',
  'STATUS:CONFIRMED',
]

test('an invitation tells who asks whom, when and where', () => {
  expect(readInvitation(calendar(REQUEST))).toEqual({
    method: 'request',
    uid: 'u@far.test',
    sequence: 2,
    summary: 'Choy, plov',
    description: 'Line one\nline two',
    location: 'Toshkent',
    organizer: { name: 'Ann, Boss', address: 'ann@far.test' },
    attendees: [
      { name: 'Me', address: 'hello@near.test', status: 'needs-action', role: 'req-participant', rsvp: true },
      { name: null, address: 'o+x@far.test', status: 'accepted', role: 'opt-participant', rsvp: false },
    ],
    starts_at: '2026-12-01T05:00:00.000Z',
    ends_at: '2026-12-01T06:00:00.000Z',
    all_day: false,
    timezone: null,
    recurrence: 'FREQ=WEEKLY;COUNT=3;BYDAY=TU',
    recurrence_id: null,
    status: 'confirmed',
    answerable: true,
    problems: [],
  })
})

test('only a request with an organiser can be answered', () => {
  const text = calendar(REQUEST)
  const answerable = (changed: string, method?: string) => readInvitation(changed, method)?.answerable
  expect(answerable(text.replace('METHOD:REQUEST', 'METHOD:CANCEL'))).toBe(false)
  expect(answerable(text.replace('METHOD:REQUEST', 'METHOD:PUBLISH'))).toBe(false)
  expect(answerable(text.replace('METHOD:REQUEST\r\n', ''))).toBe(false)
  expect(answerable(text.replace('METHOD:REQUEST\r\n', ''), 'REQUEST')).toBe(true)
  expect(answerable(text.replace(/ORGANIZER.*\r\n/, ''))).toBe(false)
  expect(answerable(text.replace('UID:u@far.test\r\n', ''))).toBe(false)
  expect(answerable(text.replace('MAILTO:ann@far.test', 'http://x.test'))).toBe(false)
})

const ZONE = [
  'BEGIN:VTIMEZONE',
  'TZID:Own/Berlin',
  'BEGIN:STANDARD',
  'DTSTART:16010101T030000',
  'TZOFFSETFROM:+0200',
  'TZOFFSETTO:+0100',
  'RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10',
  'END:STANDARD',
  'BEGIN:DAYLIGHT',
  'DTSTART:16010101T020000',
  'TZOFFSETFROM:+0100',
  'TZOFFSETTO:+0200',
  'RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3',
  'END:DAYLIGHT',
  'END:VTIMEZONE',
]

test.each([
  [
    'a described zone in winter',
    ['DTSTART;TZID=Own/Berlin:20261201T100000'],
    '2026-12-01T09:00:00.000Z',
    '2026-12-01T09:00:00.000Z',
  ],
  [
    'a described zone in summer',
    ['DTSTART;TZID=Own/Berlin:20260701T100000', 'DURATION:PT90M'],
    '2026-07-01T08:00:00.000Z',
    '2026-07-01T09:30:00.000Z',
  ],
  [
    'an hour before a change',
    ['DTSTART;TZID=Own/Berlin:20261025T010000'],
    '2026-10-24T23:00:00.000Z',
    '2026-10-24T23:00:00.000Z',
  ],
  [
    'an hour behind a change',
    ['DTSTART;TZID=Own/Berlin:20261025T040000'],
    '2026-10-25T03:00:00.000Z',
    '2026-10-25T03:00:00.000Z',
  ],
  [
    'a zone by its name',
    ['DTSTART;TZID=Asia/Tashkent:20261201T100000'],
    '2026-12-01T05:00:00.000Z',
    '2026-12-01T05:00:00.000Z',
  ],
  [
    'a named zone in summer',
    ['DTSTART;TZID=/x.test/America/New_York:20260701T100000'],
    '2026-07-01T14:00:00.000Z',
    '2026-07-01T14:00:00.000Z',
  ],
  [
    'an unknown zone',
    ['DTSTART;TZID=Nowhere:20261201T100000', 'DURATION:PT1H'],
    '2026-12-01T10:00:00',
    '2026-12-01T11:00:00',
  ],
  ['no zone', ['DTSTART:20261201T100000'], '2026-12-01T10:00:00', '2026-12-01T10:00:00'],
  ['a day', ['DTSTART;VALUE=DATE:20261201'], '2026-12-01', '2026-12-02'],
  ['three days', ['DTSTART;VALUE=DATE:20261201', 'DTEND;VALUE=DATE:20261204'], '2026-12-01', '2026-12-04'],
])('times of %s are told', (_, event, starts, ends) => {
  expect(readInvitation(calendar(event, ...ZONE))).toMatchObject({ starts_at: starts, ends_at: ends })
})

test.each([
  ['nothing', ''],
  ['words', 'Hello'],
  ['no event', 'BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR'],
  ['no end', calendar(REQUEST).replace('END:VEVENT\r\n', '')],
  ['ends without end', `${calendar(REQUEST)}${'END:VCALENDAR\r\n'.repeat(9)}`.replace('BEGIN:VEVENT', 'END:VCALENDAR')],
  ['levels without end', `${'BEGIN:VCALENDAR\r\n'.repeat(5000)}${calendar(REQUEST)}`],
  ['more than is read', calendar(['DESCRIPTION:'.padEnd(MAX_CALENDAR, 'x')])],
])('of a calendar with %s nothing is told', (_, text) => {
  expect(readInvitation(text)).toBeUndefined()
})

test('a broken line costs only itself', () => {
  const text = calendar([...REQUEST, 'X', '=:;', ';', 'X-APPLE=1'])
  expect(readInvitation(`\ufeff\n${text}`)).toMatchObject({ uid: 'u@far.test', summary: 'Choy, plov' })
  expect(readInvitation(text.replace('20261201T050000Z', 'soon'))).toMatchObject({ starts_at: null, answerable: false })
})

test('what is too long is cut, and that is told', () => {
  const attendees = Array.from({ length: 300 }, (_, at) => `ATTENDEE:mailto:a${at}@far.test`)
  const read = readInvitation(calendar([...attendees, `SUMMARY:${'x'.repeat(900)}`, 'DTSTART:20261201T050000Z']))
  expect(read?.attendees).toHaveLength(200)
  expect(read?.summary).toHaveLength(500)
  expect(read?.problems).toEqual(expect.arrayContaining(['attendee_limit', 'text_limit']))
})

test('an exception of a series is told as such, and the series before it', () => {
  const only = calendar([...REQUEST, 'RECURRENCE-ID:20261208T050000Z'])
  expect(readInvitation(only)?.recurrence_id).toBe('2026-12-08T05:00:00.000Z')
  const both = calendar(['RECURRENCE-ID:20261208T050000Z', 'SUMMARY:Exception']).replace(
    'END:VCALENDAR',
    'BEGIN:VEVENT\r\nUID:u@far.test\r\nSUMMARY:Series\r\nEND:VEVENT\r\nEND:VCALENDAR',
  )
  expect(readInvitation(both)).toMatchObject({ summary: 'Series', recurrence_id: null })
})

describe.skipIf(!existsSync(corpus))('calendars of the world', () => {
  const files = existsSync(corpus) ? readdirSync(corpus).filter((name) => name.endsWith('.ics')) : []

  test('are read or refused, and none is slow', () => {
    expect(files).toHaveLength(120)
    const start = performance.now()
    const read = files.map((name) => readInvitation(readFileSync(new URL(name, corpus), 'utf8')))
    expect(performance.now() - start).toBeLessThan(5000)
    expect(read.filter(Boolean).length).toBeGreaterThan(80)
  })

  test('have the times that ical.js works out itself', () => {
    const differing: string[] = []
    let compared = 0
    for (const name of files) {
      const text = readFileSync(new URL(name, corpus), 'utf8')
      const ours = readInvitation(text)
      const theirs = ours && ownTime(text, ours.recurrence_id === null)
      if (!ours?.starts_at?.endsWith('Z') || theirs === undefined) continue
      compared++
      if (Date.parse(ours.starts_at) !== theirs && !TIMES_DIFFER.has(name))
        differing.push(`${name}: ${ours.starts_at} ${new Date(theirs).toISOString()}`)
    }
    expect(differing).toEqual([])
    expect(compared).toBeGreaterThan(30)
  })
})

/** Where the time differs from the library's for a reason. */
const TIMES_DIFFER = new Set([
  // 12:00 in a zone seven hours behind UTC is no 12:00 UTC: of a zone whose first change comes later the library knows nothing.
  '114.ics',
])

/** The start of the same event by the library; undefined where it knows no zone for it. */
function ownTime(text: string, series: boolean): number | undefined {
  try {
    const root = new ICAL.Component(ICAL.parse(text))
    const events = root.getAllSubcomponents('vevent')
    const event = (series && events.find((one) => !one.hasProperty('recurrence-id'))) || events[0]
    const start = event?.getFirstPropertyValue('dtstart')
    if (!(start instanceof ICAL.Time) || start.isDate || start.zone.tzid === 'floating') return undefined
    return start.toUnixTime() * 1000
  } catch {
    return undefined
  }
}

const fill = (piece: string, size: number) => piece.repeat(Math.ceil(size / piece.length))

test.each([
  ['parameters', (size: number) => calendar([`ATTENDEE${fill(';X=1', size)}:mailto:a@b.test`])],
  ['quotes', (size: number) => calendar([`ATTENDEE;MEMBER=${fill('"a",', size)}"b":mailto:a@b.test`])],
  ['one text', (size: number) => calendar([`DESCRIPTION:${fill('\\n\\,', size)}`])],
  ['folded lines', (size: number) => calendar([`DESCRIPTION:${fill('x\r\n ', size)}`])],
  ['short lines', (size: number) => calendar([fill('A:b\r\n', size)])],
  ['attendees', (size: number) => calendar([fill('ATTENDEE:mailto:a@b.test\r\n', size)])],
  ['categories', (size: number) => calendar([`CATEGORIES:${fill('a,', size)}`])],
  ['dates', (size: number) => calendar([`EXDATE:${fill('20261201T050000Z,', size)}20261201T050000Z`])],
  ['rules', (size: number) => calendar([`RRULE:FREQ=YEARLY;BYMONTHDAY=${fill('1,', size)}1`])],
  ['blank lines', (size: number) => calendar([fill('\r\n', size)])],
  ['carets', (size: number) => calendar([`ATTENDEE;CN=${fill('^', size)}:mailto:a@b.test`])],
  [
    'an endless zone',
    () =>
      calendar(
        ['DTSTART;TZID=Z:20261201T100000'],
        'BEGIN:VTIMEZONE',
        'TZID:Z',
        'BEGIN:STANDARD',
        'DTSTART:00010101T000000',
        'TZOFFSETTO:+0100',
        'RRULE:FREQ=SECONDLY',
        'END:STANDARD',
        'END:VTIMEZONE',
      ),
  ],
])('a calendar of %s takes time that grows with its size', (_, make) => {
  const time = (size: number) => {
    const text = make(size)
    const start = performance.now()
    readInvitation(text)
    return performance.now() - start
  }
  const most = MAX_CALENDAR - 1000
  time(most / 4)
  const small = Math.min(time(most / 4), time(most / 4))
  expect(Math.min(time(most), time(most))).toBeLessThan(10 * small + 400)
})

test('calendars with their lines broken anyhow are read or refused', () => {
  const lines = calendar(REQUEST, ...ZONE).split('\r\n')
  let seed = 7
  const next = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff
    return seed % below
  }
  for (let round = 0; round < 2000; round++) {
    const broken = lines.map((line) => {
      const at = next(line.length + 1)
      const choice = next(20)
      if (choice === 0) return line.slice(0, at)
      if (choice === 1) return `${line.slice(0, at)}${'":;,=\\^\0\u2028'.charAt(next(9))}${line.slice(at)}`
      return choice === 2 ? lines[next(lines.length)] : line
    })
    expect(() => readInvitation(broken.join('\r\n'))).not.toThrow()
  }
})
