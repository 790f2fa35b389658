/** Says yes, no or perhaps to an invitation: a reply to its organiser that his calendar understands (RFC 6047). */
import { Problem } from '../../base/problem.ts'
import { type Caller, newId, newToken } from '../../context.ts'
import type { AnswerInvitationBody } from '../../contract/sending/answers.ts'
import { keysOf } from '../../directory/recipients.ts'
import { findSender } from '../../directory/senders.ts'
import { addressKey, formatMailbox, type Mailbox, parseAddress, parseMailbox } from '../../mail/address.ts'
import { compose } from '../../mail/compose.ts'
import {
  calendarText,
  findCalendarPart,
  type Invitation,
  MAX_CALENDAR_OCTETS,
  readInvitation,
} from '../../mail/invitation/invitation.ts'
import { invitedAddresses, writeReply } from '../../mail/invitation/reply.ts'
import { recall } from '../../record/once.ts'
import { findOwners } from '../../store/directory/owners.ts'
import type { Once } from '../../store/idempotency.ts'
import { mailOf } from '../../store/stores.ts'
import { readParties } from '../parties.ts'
import { asAnswer, type Taken, take, tellOne } from '../take.ts'
import { refuseUnread } from './answer.ts'
import { oneLine, threadFields } from './header.ts'
import { type Original, readOriginal, readParts } from './original.ts'

/** What the answer is called, in a calendar and in a subject. */
const ANSWERS = {
  accept: { status: 'accepted', mark: 'Accepted' },
  decline: { status: 'declined', mark: 'Declined' },
  tentative: { status: 'tentative', mark: 'Tentative' },
} as const

/** Room for the mark in a subject. */
const MAX_SUMMARY = 500
const MAX_NAME = 200

/** Of those invited; whoever received the mail is looked up wherever he stands. */
const MAX_LOOKED_UP = 200

/** Sends the answer from the address that was invited. @throws Problem, where there is nothing to answer or nobody of ours was asked. */
export async function answerInvitation(
  ctx: Caller,
  id: string,
  body: AnswerInvitationBody,
  once?: Once,
): Promise<Taken> {
  refuseUnread(ctx)
  const known = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  if (known) return asAnswer(known)
  const original = await readOriginal(ctx, id)
  const { text, invitation, organizer } = await readAsked(ctx, original)
  const attendee = await ownAttendee(ctx, original, invitedAddresses(text), body.from)
  const { status, mark } = ANSWERS[body.answer]
  const summary = oneLine(invitation.summary ?? '', MAX_SUMMARY)
  const subject = `${mark}: ${summary || 'your invitation'}`
  const parties = readParties({ from: formatMailbox(attendee.from), to: [formatMailbox(organizer)], subject })
  const sender = await findSender(ctx, parties.from.address)
  const comment = body.comment?.trim()
  const content = writeReply(text, {
    attendee: attendee.invited,
    answer: status,
    now: ctx.now(),
    ...(comment ? { comment } : {}),
  })
  if (content === undefined) throw nothingToAnswer('The invitation could not be answered as it is written.')
  const answerId = newId(ctx)
  const bytes = await compose({
    ...parties,
    subject,
    text: comment ? `${subject}\n\n${comment}\n` : `${subject}\n`,
    calendar: { method: 'REPLY', content },
    headers: threadFields(original.read),
    attachments: [],
    date: ctx.now(),
    messageId: `<${answerId}@${parties.from.address.domain}>`,
    boundary: newToken(ctx),
  })
  const submission = {
    id: answerId,
    bytes,
    sender,
    reversePath: parties.from.address.address,
    recipients: parties.recipients,
    bcc: [],
    tags: [],
  }
  return take<Taken>(ctx, [submission], { id: answerId }, once, tellOne)
}

type Asked = { text: string; invitation: Invitation; organizer: Mailbox }

async function readAsked(ctx: Caller, original: Original): Promise<Asked> {
  const part = findCalendarPart(original.attachments)
  if (!part || part.length > MAX_CALENDAR_OCTETS) throw nothingToAnswer('The message holds no invitation.')
  const [bytes] = await readParts(ctx, original, [part])
  const text = calendarText(part, bytes ?? new Uint8Array(0))
  const invitation = readInvitation(text, part.method)
  if (!invitation) throw nothingToAnswer('The message holds no invitation that could be read.')
  const address = parseAddress(invitation.organizer?.address ?? '')
  if (!invitation.answerable || !address) {
    throw nothingToAnswer(`The invitation asks for no answer: its method is ${invitation.method ?? 'not told'}.`)
  }
  const name = oneLine(invitation.organizer?.name ?? '', MAX_NAME)
  return { text, invitation, organizer: name === '' ? { address } : { name, address } }
}

/** Who of those invited is the account's: the one that received the mail before others, or the one the caller names. */
async function ownAttendee(
  ctx: Caller,
  { stored }: Original,
  written: readonly string[],
  from: string | null | undefined,
): Promise<{ invited: string; from: Mailbox }> {
  const named = from ? parseMailbox(from) : undefined
  if (from && !named) throw notInvited('from', 'is not an email address')
  const received = stored.recipient === null ? undefined : parseAddress(stored.recipient)
  const receivedKey = received && addressKey(received)
  const wanted = named && addressKey(named.address)
  const all = written.flatMap((text) => {
    const address = parseAddress(text)
    return address ? [{ written: text, address, key: addressKey(address) }] : []
  })
  const invited = all.filter(({ key }, at) => at < MAX_LOOKED_UP || key === receivedKey || key === wanted)
  const keys = invited.flatMap(({ address }) => keysOf(address).map(({ key }) => key))
  const owners = new Map((await findOwners(ctx.stores, [...new Set(keys)])).map((owner) => [owner.address, owner]))
  const ours = invited.flatMap((one) => {
    const owner = keysOf(one.address).flatMap(({ key }) => owners.get(key) ?? [])[0]
    const isOurs = owner ? owner.account === ctx.account.number : one.key === receivedKey
    return isOurs ? [{ ...one, name: owner?.name ?? null }] : []
  })
  const found = wanted
    ? ours.find(({ key }) => key === wanted)
    : (ours.find(({ key }) => key === receivedKey) ?? ours[0])
  if (!found) throw notInvited('from', wanted ? 'is none of the invited addresses' : 'is not known')
  const name = named?.name ?? (found.name === null ? undefined : oneLine(found.name, MAX_NAME))
  // Spelled as the account has it, not as the organiser did.
  const address = named?.address ?? (received && found.key === receivedKey ? received : found.address)
  return { invited: found.written, from: name ? { name, address } : { address } }
}

function nothingToAnswer(message: string): Problem {
  return new Problem('validation_error', message, { fix: 'Answer the mail by POST /messages/:id/reply.' })
}

function notInvited(path: string, reason: string): Problem {
  return new Problem('invalid_from_address', 'None of the account’s addresses is invited, or not the one given.', {
    fields: [{ path, reason }],
    fix: 'Give in `from` one of the invited addresses that the account has, or answer by POST /messages/:id/reply.',
  })
}
