/** Events about mail, complete as webhooks tell them, so that they can be told after the message is gone. */
import type { NewEvent } from '../store/mail/change.ts'
import type { Parties, Tag } from '../store/mail/shapes.ts'

/** What every event about sent mail says of its message. */
export type SentMail = {
  id: string
  createdAt: number
  parties: Parties
  subject: string
  messageId: string | null
  tags: Tag[]
}

/** An event about sent mail: `email.sent`, with what is particular to it (`bounce`, `failed`, `recipients`). Bcc is never told. */
export function sentMailEvent(type: string, mail: SentMail, more: Record<string, unknown> = {}): NewEvent {
  const data = {
    email_id: mail.id,
    created_at: isoTime(mail.createdAt),
    from: mail.parties.from[0] ?? '',
    to: mail.parties.to,
    subject: mail.subject,
    message_id: mail.messageId === null ? '' : `<${mail.messageId}>`,
    tags: Object.fromEntries(mail.tags.map((tag) => [tag.name, tag.value])),
    ...more,
  }
  return { type, message: mail.id, data }
}

/** ISO 8601 in UTC, as every answer and event writes a time. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
