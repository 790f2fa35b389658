/** The API's views of a stored message: ours of both directions, and Resend's of sent and of received mail. */
import type * as z from 'zod'
import type { EmailLine } from '../contract/emails-read.ts'
import { type AttachmentLine, LastEvent, type MessageSummary, type RecipientView } from '../contract/messages.ts'
import type { ReceivedLine } from '../contract/reading/receiving.ts'
import { listAttachments, type Part } from '../mail/mime/parts.ts'
import type { ReceivedLine as ReceivedRow } from '../store/mail/reading.ts'
import type { MessageLine } from '../store/mail/rows.ts'
import { RECEIVED, type Recipient } from '../store/mail/shapes.ts'
import { attachmentIds } from './attachment-id.ts'
import { isoTime } from './email-event.ts'

/** A line of GET /messages. */
export function summaryView(line: MessageLine): z.input<typeof MessageSummary> {
  const { parties } = line
  return {
    object: 'message',
    id: line.id,
    direction: line.direction === RECEIVED ? 'received' : 'sent',
    mailbox: line.mailbox.id,
    uid: line.uid,
    modseq: line.modseq,
    keywords: Object.fromEntries(line.keywords.map((keyword) => [keyword, true as const])),
    thread: line.thread,
    message_id: bracketed(line.messageId),
    from: parties.from[0] ?? '',
    to: parties.to,
    cc: parties.cc,
    bcc: parties.bcc,
    reply_to: parties.reply_to,
    subject: line.subject,
    preview: line.preview,
    created_at: isoTime(line.createdAt),
    date: shownDate(line.dated),
    size: line.size,
    has_attachment: line.hasAttachment,
    marks: line.marks,
    envelope_from: line.sender,
    received_for: receivedFor(line),
    address: line.address,
    tag: line.tag,
    last_event: line.lastEvent === null ? null : lastEvent(line.lastEvent),
  }
}

/** A line of GET /emails. */
export function sentView(line: MessageLine): z.input<typeof EmailLine> {
  const { parties } = line
  return {
    id: line.id,
    message_id: bracketed(line.messageId) ?? '',
    to: parties.to,
    from: parties.from[0] ?? '',
    created_at: isoTime(line.createdAt),
    subject: line.subject,
    bcc: orNull(parties.bcc),
    cc: orNull(parties.cc),
    reply_to: orNull(parties.reply_to),
    last_event: lastEvent(line.lastEvent ?? 'queued'),
    scheduled_at: line.scheduledAt === null ? null : isoTime(line.scheduledAt),
  }
}

/** A line of GET /emails/receiving. */
export function receivedView(line: ReceivedRow): z.input<typeof ReceivedLine> {
  const { parties } = line
  return {
    id: line.id,
    to: parties.to,
    from: parties.from[0] ?? '',
    created_at: isoTime(line.createdAt),
    subject: line.subject,
    bcc: parties.bcc,
    cc: parties.cc,
    reply_to: parties.reply_to,
    received_for: receivedFor(line),
    message_id: bracketed(line.messageId) ?? '',
    ...(line.parts
      ? { attachments: shownAttachments(line.id, line.parts) }
      : { attachments: [], attachments_omitted: true as const }),
  }
}

/** What a message says of its attachments; the bytes are behind links. */
export function shownAttachments(messageId: string, root: Part): z.input<typeof AttachmentLine>[] {
  return attachmentLines(messageId, root).map(({ related: _, ...line }) => line)
}

/** The same, with whether it stands beside HTML that may show it. */
export function attachmentLines(
  messageId: string,
  root: Part,
): (z.input<typeof AttachmentLine> & { related: boolean })[] {
  const ids = attachmentIds(messageId, root)
  return listAttachments(root).map((attachment) => ({
    id: ids.get(attachment.path) ?? '',
    part: attachment.path,
    filename: attachment.filename,
    size: attachment.size,
    content_type: attachment.type,
    content_id: attachment.contentId,
    content_disposition: attachment.disposition,
    related: attachment.related,
  }))
}

export function recipientView(recipient: Recipient): z.input<typeof RecipientView> {
  const { reply } = recipient
  return {
    address: recipient.address,
    state: recipient.state,
    reply: reply ? { code: reply.code, enhanced: reply.enhanced ?? null, text: reply.text } : null,
    attempts: recipient.attempts,
    outcome_unknown: recipient.unknown === true,
    updated_at: isoTime(recipient.updatedAt),
  }
}

/** A Date header may name a year that no calendar of ours writes in four digits. */
function shownDate(ms: number | null): string | null {
  return ms === null || ms < 0 || ms >= Date.UTC(10_000, 0) ? null : isoTime(ms)
}

function receivedFor({ recipient }: MessageLine): string[] {
  return recipient === null ? [] : [recipient]
}

function bracketed(messageId: string | null): string | null {
  return messageId === null ? null : `<${messageId}>`
}

function orNull(addresses: string[]): string[] | null {
  return addresses.length > 0 ? addresses : null
}

/** The row holds the word that the relay or the feedback wrote; one that the API does not know is shown as the first. */
function lastEvent(word: string): z.output<typeof LastEvent> {
  return LastEvent.safeParse(word).data ?? 'queued'
}
