import { expect, test } from 'vitest'
import { AnswerInvitationBody } from '../../../src/contract/sending/answers.ts'
import { readInvitation } from '../../../src/mail/invitation/invitation.ts'
import { decodeBytes } from '../../../src/mail/mime/decode.ts'
import { MimeIntake } from '../../../src/mail/mime/indexer.ts'
import { allParts } from '../../../src/mail/mime/parts.ts'
import { answerInvitation } from '../../../src/submission/answer/invitation.ts'
import { addAddress, makeAccount, makeWorld } from '../../support/world.ts'
import { receive, stored, withScopes } from './mail.ts'

const world = await makeWorld()
const owner = await makeAccount(world)
const other = await makeAccount(world)
const body = (more: Record<string, unknown> = {}) => AnswerInvitationBody.parse({ answer: 'accept', ...more })

function calendar(...lines: string[]): string[] {
  return [
    'BEGIN:VCALENDAR',
    'METHOD:REQUEST',
    'BEGIN:VEVENT',
    'UID:u@far.test',
    'SEQUENCE:3',
    'DTSTART;TZID=Asia/Tashkent:20261201T100000',
    'SUMMARY:Choy\\, plov',
    'ORGANIZER;CN=Ann:mailto:ann@far.test',
    ...lines,
    'END:VEVENT',
    'END:VCALENDAR',
  ]
}

const me = `ATTENDEE;CN=Me;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:MAILTO:${owner.address.toUpperCase()}`
const bob = 'ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@far.test'

async function invited(lines: string[], type = 'text/calendar; method=REQUEST', recipient = owner.address) {
  const header = ['Message-ID: <i@far.test>', 'Subject: Invitation', 'From: Robot <robot@far.test>']
  const mixed = [...header, 'Content-Type: multipart/alternative; boundary=b']
  return receive(
    owner,
    mixed,
    ['--b', '', 'Come!', '--b', `Content-Type: ${type}`, '', ...lines, '--b--', ''].join('\r\n'),
    recipient,
  )
}

/** The calendar of an answer, and how it is told from other text. */
async function sent(id: string) {
  const { row, bytes, read } = await stored(owner, id)
  const intake = new MimeIntake()
  intake.write(bytes)
  const parts = allParts(intake.end().root)
  const part = parts.find(({ type }) => type === 'text/calendar')
  if (!part) throw new Error('there is no calendar')
  const text = new TextDecoder().decode(decodeBytes(part.encoding, bytes.subarray(part.body, part.body + part.length)))
  const header = new TextDecoder().decode(bytes.subarray(part.start, part.body))
  return { row, read, text, header, types: parts.map(({ type }) => type), reply: readInvitation(text) }
}

test('an answer goes to the organiser, from the address that was invited, with what his calendar needs', async () => {
  const id = await invited(calendar(me, bob))
  const answer = await answerInvitation(owner, id, body({ comment: 'Gladly; soon' }))
  const { row, read, text, header, types, reply } = await sent(answer.id)
  expect(row.parties).toMatchObject({ from: [owner.address], to: ['Ann <ann@far.test>'], cc: [] })
  expect(row.recipients).toMatchObject([{ address: 'ann@far.test', state: 'queued' }])
  expect(read).toMatchObject({
    subject: 'Accepted: Choy, plov',
    inReplyTo: ['i@far.test'],
    text: 'Accepted: Choy, plov\n\nGladly; soon\n',
  })
  expect(types).toEqual(['multipart/alternative', 'text/plain', 'text/calendar'])
  // RFC 6047 section 2.4: the method stands in the header too.
  expect(header).toMatch(/^content-type: text\/calendar;\s+charset=utf-8;\s+method=REPLY/im)
  expect(reply).toMatchObject({
    method: 'reply',
    uid: 'u@far.test',
    sequence: 3,
    organizer: { name: 'Ann', address: 'ann@far.test' },
    attendees: [{ address: owner.address.toUpperCase(), status: 'accepted' }],
  })
  expect(text).toContain('DTSTAMP:20261123T120000Z\r\n')
  expect(text).toContain('COMMENT:Gladly\\; soon\r\n')
  expect(text).not.toMatch(/RSVP|bob|[^\r]\n/)
  expect((await stored(owner, id)).row.thread).toBe(row.thread)
})

test.each([
  ['decline', 'declined', 'Declined'],
  ['tentative', 'tentative', 'Tentative'],
])('%s is told as %s', async (answer, status, mark) => {
  const id = await invited(calendar(me))
  const { read, reply } = await sent((await answerInvitation(owner, id, body({ answer }))).id)
  expect(read.subject).toBe(`${mark}: Choy, plov`)
  expect(reply?.attendees).toMatchObject([{ status }])
})

test('an answer about one instance of a series names it, with its zone', async () => {
  const zone = [
    'BEGIN:VTIMEZONE',
    'TZID:Own',
    'BEGIN:STANDARD',
    'DTSTART:20000101T000000',
    'TZOFFSETFROM:+0500',
    'TZOFFSETTO:+0500',
    'END:STANDARD',
    'END:VTIMEZONE',
  ]
  const lines = calendar(me, 'RECURRENCE-ID;TZID=Own:20261208T100000')
  const id = await invited([...lines.slice(0, 2), ...zone, ...lines.slice(2)])
  const { text, reply } = await sent((await answerInvitation(owner, id, body())).id)
  expect(text).toContain('RECURRENCE-ID;TZID=Own:20261208T100000\r\n')
  expect(reply?.recurrence_id).toBe('2026-12-08T05:00:00.000Z')
})

test('of several addresses that were invited the receiving one answers, or the one that is named', async () => {
  const second = `second@${owner.domain}`
  await addAddress(world, owner.account, second)
  const lines = calendar(`ATTENDEE:mailto:${second}`, me)
  const first = await sent((await answerInvitation(owner, await invited(lines), body())).id)
  expect(first.row.parties.from).toEqual([owner.address])
  const named = await answerInvitation(owner, await invited(lines), body({ from: `Two <${second}>` }))
  expect((await sent(named.id)).row.parties.from).toEqual([`Two <${second}>`])
  // What came by a list is answered by whoever of it is ours.
  const listed = await answerInvitation(owner, await invited(lines, undefined, 'all@list.test'), body())
  expect((await sent(listed.id)).row.parties.from).toEqual([second])
})

test('whoever received the invitation answers it, however many stand before him', async () => {
  const crowd = Array.from({ length: 300 }, (_, at) => `ATTENDEE:mailto:a${at}@far.test`)
  const { reply } = await sent((await answerInvitation(owner, await invited(calendar(...crowd, me)), body())).id)
  expect(reply?.attendees).toMatchObject([{ address: owner.address.toUpperCase() }])
})

test('what cannot be answered is refused, and why', async () => {
  const refused = async (lines: string[], more = {}, type?: string) =>
    answerInvitation(owner, await invited(lines, type), body(more)).catch(
      (problem) => `${problem.code}: ${problem.message}`,
    )
  const canceled = calendar(me).map((line) => line.replace('METHOD:REQUEST', 'METHOD:CANCEL'))
  expect(await refused(canceled)).toMatch(/^validation_error: .*cancel/)
  expect(await refused(calendar(me).map((line) => line.replace('REQUEST', 'PUBLISH')))).toMatch(/^validation_error/)
  expect(await refused(['no calendar'])).toMatch(/^validation_error: .*could be read/)
  expect(await refused(calendar(me), {}, 'text/plain')).toMatch(/^validation_error: The message holds no invitation/)
  expect(await refused(calendar(bob))).toMatch(/^invalid_from_address/)
  expect(await refused(calendar(me), { from: 'bob@far.test' })).toMatch(/^invalid_from_address/)
  expect(await refused(calendar(me), { from: 'nobody' })).toMatch(/^invalid_from_address/)
  // Another account's address among the guests is not ours to answer from.
  expect(await refused(calendar(`ATTENDEE:mailto:${other.address}`), { from: other.address })).toMatch(
    /^invalid_from_address/,
  )
})

test('the organiser’s words end no line of ours', async () => {
  const evil = calendar(me, 'X:y').map((line) =>
    line.startsWith('SUMMARY')
      ? 'SUMMARY:a\\nBcc: evil@far.test\\nb'
      : line.replace('CN=Ann', 'CN="A^nBcc: evil@far.test"'),
  )
  const { row, read, text } = await sent(
    (await answerInvitation(owner, await invited(evil), body({ comment: 'x\r\nATTENDEE:mailto:e@x' }))).id,
  )
  expect(row.recipients).toHaveLength(1)
  expect(read.bcc).toEqual([])
  expect(text.match(/^ATTENDEE/gm)).toHaveLength(1)
})

test('a key that may not read may not answer; another account’s message is not found', async () => {
  const id = await invited(calendar(me))
  await expect(answerInvitation(withScopes(owner, 'emails:send'), id, body())).rejects.toMatchObject({
    code: 'restricted_api_key',
  })
  await expect(answerInvitation(other, id, body())).rejects.toMatchObject({ code: 'not_found' })
})

test('repeated with the same key one answer is sent', async () => {
  const id = await invited(calendar(me))
  const once = { key: 'k', body: 'same' }
  const first = await answerInvitation(owner, id, body(), once)
  expect(await answerInvitation(owner, id, body(), once)).toEqual(first)
  expect(world.woken.filter(({ messages }) => messages?.includes(first.id))).toHaveLength(1)
})
