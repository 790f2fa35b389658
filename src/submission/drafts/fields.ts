/** What stands in a draft, out of its row and its bytes; and the bytes that say it. */
import type * as z from 'zod'
import { concat, utf8 } from '../../base/bytes.ts'
import { type FieldFault, notFound, Problem } from '../../base/problem.ts'
import { type Caller, newToken } from '../../context.ts'
import type { DraftBody, DraftView } from '../../contract/mailbox/drafts.ts'
import { type Mailbox, parseMailbox } from '../../mail/address.ts'
import { type Attachment, compose, reservedHeader } from '../../mail/compose.ts'
import { decodeEncodedWords } from '../../mail/mime/charset.ts'
import { asWritten } from '../../record/as-written.ts'
import { isoTime } from '../../record/email-event.ts'
import { shownAttachments } from '../../record/message-view.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { DRAFTS, SENT, type Tag } from '../../store/mail/shapes.ts'
import { carriedAsIs } from '../answer/carried.ts'
import { type Original, readOriginal } from '../answer/original.ts'
import { readList } from '../parties.ts'

/** A draft as it was written: all as a request would name it. */
export type Written = {
  from: string | null
  to: string[]
  cc: string[]
  bcc: string[]
  reply_to: string[]
  subject: string
  html: string | null
  text: string | null
  headers: Record<string, string>
  tags: Tag[]
}

/** Whether this is a draft still: it lies in Drafts, and was never taken for sending. */
export function isDraft(message: StoredMessage): boolean {
  return message.mailbox.number === DRAFTS && message.due === null && !wasSent(message)
}

export function wasSent(message: StoredMessage): boolean {
  return message.direction === SENT && message.lastEvent !== null
}

/** A draft with what it says. @throws Problem not_found. */
export async function readDraft(ctx: Caller, id: string): Promise<{ original: Original; written: Written }> {
  const original = await readOriginal(ctx, id).catch((error) => {
    throw error instanceof Problem && error.code === 'not_found' ? notFound('Draft') : error
  })
  if (!isDraft(original.stored)) throw notFound('Draft')
  const { stored, read, root } = original
  const { parties } = stored
  const headers = read.headers.filter(([name]) => !reservedHeader(name))
  const written = {
    from: parties.from[0] ?? null,
    to: parties.to,
    cc: parties.cc,
    bcc: parties.bcc,
    reply_to: parties.reply_to,
    subject: stored.subject,
    html: asWritten(root, read.html),
    text: asWritten(root, read.text),
    headers: Object.fromEntries(headers.map(([name, value]) => [name, decodeEncodedWords(value)])),
    tags: stored.tags,
  }
  return { original, written }
}

/** What the draft has attached, byte for byte; of these parts only, where they are named. */
export async function attachedTo(ctx: Caller, original: Original, paths?: ReadonlySet<string>): Promise<Attachment[]> {
  const parts = original.attachments.filter(({ path }) => !paths || paths.has(path))
  return carriedAsIs(ctx, original, parts)
}

/** As the API shows it. */
export function draftView({
  original: { stored, root },
  written,
}: Awaited<ReturnType<typeof readDraft>>): z.input<typeof DraftView> {
  return {
    object: 'draft',
    id: stored.id,
    uid: stored.uid,
    modseq: stored.modseq,
    thread: stored.thread,
    ...written,
    attachments: shownAttachments(stored.id, root),
    created_at: isoTime(stored.createdAt),
    size: stored.size,
  }
}

/** The request's fields over what is there; what it leaves out stays, null is nothing. */
export function overlay(before: Written, body: Omit<DraftBody, 'in_reply_to' | 'attachments'>): Written {
  const listed = (given: string | string[] | null | undefined, kept: string[]) =>
    given === undefined ? kept : given === null ? [] : Array.isArray(given) ? given : [given]
  const kept = <T>(given: T | undefined, old: T): T => (given === undefined ? old : given)
  return {
    from: kept(body.from, before.from),
    to: listed(body.to, before.to),
    cc: listed(body.cc, before.cc),
    bcc: listed(body.bcc, before.bcc),
    reply_to: listed(body.reply_to, before.reply_to),
    subject: kept(body.subject, before.subject) ?? '',
    html: kept(body.html, before.html),
    text: kept(body.text, before.text),
    headers: body.headers === undefined ? before.headers : { ...threadOf(before.headers), ...body.headers },
    tags: kept(body.tags, before.tags) ?? [],
  }
}

export const BLANK: Written = {
  from: null,
  to: [],
  cc: [],
  bcc: [],
  reply_to: [],
  subject: '',
  html: null,
  text: null,
  headers: {},
  tags: [],
}

/** The draft's bytes. Its Bcc stands in them, for other programs read drafts too; sending leaves it out. @throws Problem naming every field at fault. */
export async function composeDraft(ctx: Caller, id: string, written: Written, attachments: Attachment[]) {
  const faults: FieldFault[] = []
  const read = (field: 'to' | 'cc' | 'bcc' | 'reply_to') => readList(field, written[field], faults)
  const from = written.from === null || written.from === '' ? undefined : parseMailbox(written.from)
  if (written.from && !from) faults.push({ path: 'from', reason: 'is not an email address' })
  const parties = { to: read('to'), cc: read('cc'), bcc: read('bcc'), replyTo: read('reply_to') }
  const [first] = faults
  if (first) throw new Problem('validation_error', `Invalid \`${first.path}\`: ${first.reason}`, { fields: faults })
  const alone = attachments.length === 0 && (!written.text || !written.html)
  // The composer ends what stands alone with a line break, if it has none; reading takes one away.
  const ended = (text: string) => (alone && text.endsWith('\n') ? `${text}\n` : text)
  const bytes = await compose({
    ...parties,
    ...(from ? { from } : {}),
    subject: written.subject,
    ...(written.html === null ? {} : { html: ended(written.html) }),
    ...(written.text === null ? {} : { text: ended(written.text) }),
    headers: Object.entries(written.headers),
    attachments,
    date: ctx.now(),
    messageId: `<${id}@${from?.address.domain ?? ctx.config.MAIL_HOST}>`,
    boundary: newToken(ctx),
  })
  return { bytes: concat([bccField(parties.bcc), bytes]), sender: from?.address.address ?? '', bcc: written.bcc }
}

/** Addresses alone, one a line: so there is nothing to encode and nothing to fold. */
function bccField(bcc: readonly Mailbox[]): Uint8Array {
  if (bcc.length === 0) return new Uint8Array(0)
  return utf8(`Bcc: ${bcc.map(({ address }) => address.address).join(',\r\n ')}\r\n`)
}

/** What makes it an answer stays, whatever other fields it is given. */
function threadOf(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => /^(?:in-reply-to|references)$/i.test(name)))
}
