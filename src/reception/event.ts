/** What a webhook tells of a mail that came. */
import type { Part } from '../mail/mime/parts.ts'
import { listAttachments } from '../mail/mime/parts.ts'
import { attachmentIds } from '../record/attachment-id.ts'
import { isoTime } from '../record/email-event.ts'
import type { NewEvent } from '../store/mail/change.ts'
import type { NewMessage } from '../store/mail/filing.ts'

/** An event row is told whole each time; a mail of a thousand parts tells of the first of them. */
const MAX_TOLD = 100

/** Where it went, and the rules that matched: the mailbox by its role, or else its id. */
export type Outcome = { mailbox: string; rules: { id: string | null; name: string }[] }

/** What of a message is told. */
type Arrived = Pick<
  NewMessage,
  'id' | 'createdAt' | 'parties' | 'recipient' | 'messageId' | 'subject' | 'tag' | 'keywords'
>

/** `email.received`, complete as it is told. */
export function receivedEvent(message: Arrived, root: Part, { mailbox, rules }: Outcome): NewEvent {
  const ids = attachmentIds(message.id, root)
  const data = {
    email_id: message.id,
    created_at: isoTime(message.createdAt),
    from: message.parties.from[0] ?? '',
    to: message.parties.to.slice(0, MAX_TOLD),
    bcc: message.parties.bcc.slice(0, MAX_TOLD),
    cc: message.parties.cc.slice(0, MAX_TOLD),
    received_for: [message.recipient],
    message_id: message.messageId === null ? '' : `<${message.messageId}>`,
    subject: message.subject,
    tag: message.tag,
    mailbox,
    keywords: Object.fromEntries(message.keywords.map((keyword) => [keyword, true])),
    rules,
    attachments: listAttachments(root)
      .slice(0, MAX_TOLD)
      .map((attachment) => ({
        id: ids.get(attachment.path),
        filename: attachment.filename,
        content_type: attachment.type,
        content_disposition: attachment.disposition,
        content_id: attachment.contentId,
      })),
  }
  return { type: 'email.received', message: message.id, data }
}

/** `email.matched`: the same, for one rule that asked to be told of. */
export function matchedEvent(received: NewEvent, rule: { id: string | null; name: string }): NewEvent {
  return { ...received, type: 'email.matched', data: { ...received.data, rule } }
}
