/** What a message's row says of its bytes: the same for mail that came and mail that goes. */
import { uuidv8 } from '../base/id.ts'
import { sha256Hex } from '../base/seal.ts'
import { hash64 } from '../mail/fingerprint.ts'
import { marksOf } from '../mail/marks.ts'
import { type Indexed, MimeIntake } from '../mail/mime/indexer.ts'
import { formatMailbox, type ReadMessage, readMessage } from '../mail/mime/read.ts'
import { normalId, referenceIds, threadRoot } from '../mail/thread.ts'
import type { NewMessage } from '../store/mail/filing.ts'
import type { Parties } from '../store/mail/shapes.ts'

export type Described = Pick<
  NewMessage,
  | 'msgidHash'
  | 'messageId'
  | 'references'
  | 'thread'
  | 'parties'
  | 'subject'
  | 'preview'
  | 'dated'
  | 'size'
  | 'hasAttachment'
  | 'parts'
  | 'problems'
  | 'marks'
>

/** A list shows a line of it; the whole stands in the raw message. */
const MAX_SUBJECT = 2000

/** Characters of all names and addresses in a row, which D1 holds to 2 MB in all. */
const MAX_PARTIES = 64 * 1024

/** Reads bytes that are at hand, in as many pieces as they are in. */
export async function describeMime(
  bytes: Uint8Array | readonly Uint8Array[],
  of: { account: number; id: string },
): Promise<Described> {
  const intake = new MimeIntake()
  for (const piece of bytes instanceof Uint8Array ? [bytes] : bytes) intake.write(piece)
  const indexed = intake.end()
  return describe(indexed, await readMessage(indexed), of)
}

/** Describes what was read; a message without a Message-ID is named by its own id, so that it meets no other. */
export async function describe(
  indexed: Pick<Indexed, 'root' | 'size'>,
  read: ReadMessage,
  of: { account: number; id: string },
): Promise<Described> {
  const problems = new Set(read.problems)
  const subject = plain(read.subject ?? '')
  if (subject.length > MAX_SUBJECT) problems.add('subject_limit')
  return {
    msgidHash: hash64(read.messageId === undefined ? of.id : normalId(read.messageId)),
    messageId: read.messageId === undefined ? null : plain(read.messageId),
    // The nearest first: the message it answers knows the thread best.
    references: referenceIds(read).reverse().map(hash64),
    thread: await threadId(of.account, threadRoot(read) ?? of.id),
    parties: partiesOf(read, problems),
    subject: subject.slice(0, MAX_SUBJECT),
    preview: plain(read.preview),
    dated: read.date ?? null,
    size: indexed.size,
    hasAttachment: read.attachments.some((attachment) => !isInline(attachment)),
    parts: indexed.root,
    problems: [...problems],
    marks: marksOf({ root: indexed.root, ...read }),
  }
}

/** The thread that a root names, the same for every message of the account that names it. */
async function threadId(account: number, root: string): Promise<string> {
  const hex = await sha256Hex(`${account}:${root}`)
  return uuidv8(Uint8Array.from({ length: 16 }, (_, at) => Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16)))
}

function partiesOf(read: ReadMessage, problems: Set<string>): Parties {
  let left = MAX_PARTIES
  const texts = (mailboxes: { name: string; address: string }[]) => {
    const kept: string[] = []
    for (const mailbox of mailboxes) {
      const text = plain(formatMailbox(mailbox))
      left -= text.length
      if (left < 0) problems.add('address_limit')
      else kept.push(text)
    }
    return kept
  }
  return {
    from: texts(read.from ? [read.from] : []),
    to: texts(read.to),
    cc: texts(read.cc),
    bcc: texts(read.bcc),
    reply_to: texts(read.replyTo),
  }
}

/** Text that JSON, SQL and a terminal can hold: no lone surrogates, no control characters. */
function plain(text: string): string {
  return text.toWellFormed().replace(/[\0-\x08\x0b-\x1f\x7f]/g, ' ')
}

function isInline(attachment: { related: boolean; contentId: string | null }): boolean {
  return attachment.related && attachment.contentId !== null
}
