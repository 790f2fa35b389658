/** Drafts are made, written anew and deleted. A draft is a message in Drafts whose bytes say all of it; what a request leaves out is read from there. */
import type * as z from 'zod'
import { notFound, Problem } from '../../base/problem.ts'
import { type Caller, newId, newToken } from '../../context.ts'
import type { DraftBody, DraftPatch, DraftView } from '../../contract/mailbox/drafts.ts'
import type { Attachment } from '../../mail/compose.ts'
import { attachmentIds } from '../../record/attachment-id.ts'
import { describeMime } from '../../record/described.ts'
import { summaryView } from '../../record/message-view.ts'
import { keeping, recall } from '../../record/once.ts'
import { listOf, readPage } from '../../record/page.ts'
import type { Once } from '../../store/idempotency.ts'
import { findMailbox } from '../../store/mail/boxes.ts'
import { fileMessage, findFiled, type NewMessage, whyNotFiled, wouldFit } from '../../store/mail/filing.ts'
import { removeMessage } from '../../store/mail/keeping.ts'
import { findMessage, listMessages } from '../../store/mail/reading.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { DRAFTS, SENT } from '../../store/mail/shapes.ts'
import { replaceDraft } from '../../store/mailbox/drafts.ts'
import { deleteRaw, putRaw, rawKey } from '../../store/objects.ts'
import { nothingStored, settle } from '../../store/settle.ts'
import { mailOf } from '../../store/stores.ts'
import { addresseesOf } from '../answer/addressees.ts'
import { refuseUnread } from '../answer/answer.ts'
import { markedSubject, threadFields } from '../answer/header.ts'
import { type Original, readOriginal } from '../answer/original.ts'
import { allowanceOf, readAttachments } from '../attachments.ts'
import { refused, tooLarge } from '../refusal.ts'
import { attachedTo, BLANK, composeDraft, draftView, isDraft, overlay, readDraft, type Written } from './fields.ts'

type View = z.input<typeof DraftView>

/** A page of drafts, the one written last first. @throws Problem invalid_parameter. */
export async function listDrafts(ctx: Caller, query: { limit: number; after?: string; before?: string }) {
  const { rows, more } = await listMessages(ctx.stores, ctx.account, { mailbox: 'drafts' }, readPage(query))
  return listOf(rows.map(summaryView), more)
}

/** One draft with all that was written. @throws Problem not_found. */
export async function getDraft(ctx: Caller, id: string): Promise<View> {
  return draftView(await readDraft(ctx, id))
}

/** Keeps a mail that is not done. With `once`, equal requests make one. @throws Problem naming every field at fault, not_found (what it answers), payload_too_large. */
export async function createDraft(ctx: Caller, body: DraftBody, once?: Once): Promise<View> {
  const known = await recalled(ctx, once)
  if (known) return getDraft(ctx, known)
  const id = newId(ctx)
  const written = await begun(ctx, body)
  const attachments = await readAttachments(ctx, body.attachments ?? [], allowanceOf(ctx))
  const { rewritten, described } = await store(ctx, id, written, attachments)
  const message: NewMessage = {
    ...described,
    ...rewritten,
    id,
    direction: SENT,
    createdAt: ctx.now(),
    mailbox: DRAFTS,
    keywords: ['$draft', '$seen'],
    // Other than that of the mail which it becomes.
    dedupe: `draft.${id}`,
    recipient: null,
    address: null,
    tag: null,
    verdicts: null,
    recipients: null,
    lastEvent: null,
    due: null,
  }
  const kept = await keeping(ctx, ctx.account.number, once, 201, { id })
  const mailbox = (await findMailbox(ctx.stores, ctx.account, 'drafts'))?.id
  const filed = await settle<{ listeners: number } | 'refused'>(
    async () => {
      const terms = { now: ctx.now(), token: newToken(ctx), ...(kept ? { keeping: kept } : {}) }
      const event = { type: 'message.created', message: id, data: { messages: [{ id, mailbox }] } }
      return (await fileMessage(ctx.stores, ctx.account, { message, events: [event], ...terms })) ?? 'refused'
    },
    async () => ((await findFiled(ctx.stores, ctx.account, message)) ? { listeners: 1 } : undefined),
  )
  if (filed !== 'refused') {
    if (filed.listeners > 0) ctx.wake.webhooks(ctx.account)
    return getDraft(ctx, id)
  }
  // A try whose acknowledgement was lost may have been made: then there it is.
  if (await findFiled(ctx.stores, ctx.account, message)) return getDraft(ctx, id)
  ctx.later(deleteRaw(ctx.stores, [message.rawKey]))
  const winner = await recalled(ctx, once)
  if (winner) return getDraft(ctx, winner)
  const why = await whyNotFiled(ctx.stores, ctx.account, message)
  throw why.kind === 'full' || why.kind === 'closed' ? refused(ctx, why.kind) : nothingStored()
}

/** Writes a draft anew. @throws Problem not_found, conflict (`modseq` is another by now), naming every field at fault, payload_too_large. */
export async function updateDraft(ctx: Caller, id: string, body: DraftPatch): Promise<View> {
  for (let races = 0; races < RACES; races++) {
    const { original, written } = await readDraft(ctx, id)
    const { stored } = original
    if (body.modseq !== undefined && body.modseq !== stored.modseq) throw stale(stored)
    const own = await readAttachments(ctx, body.attachments ?? [], allowanceOf(ctx))
    const attachments = [...(await attachedTo(ctx, original, keptParts(original, body))), ...own]
    const { rewritten } = await store(ctx, id, overlay(written, body), attachments)
    if (await replace(ctx, stored, rewritten)) {
      ctx.later(deleteRaw(ctx.stores, [stored.rawKey]))
      return getDraft(ctx, id)
    }
    ctx.later(deleteRaw(ctx.stores, [rewritten.rawKey]))
    const bytes = rewritten.size - stored.size
    const why = await wouldFit(ctx.stores, ctx.account, { bytes: Math.max(0, bytes), sends: 0, now: ctx.now() })
    if (why === 'full' && bytes > 0) throw refused(ctx, why)
  }
  throw new Problem('service_unavailable', 'The draft is being changed by others; nothing was done.', { retryAfter: 1 })
}

/** How often a draft is written anew because another change came first. */
const RACES = 5

/** Deletes a draft for good. @throws Problem not_found, service_unavailable. */
export async function deleteDraft(ctx: Caller, id: string) {
  for (let races = 0; races < RACES; races++) {
    const message = await findMessage(ctx.stores, ctx.account, id)
    if (!message || !isDraft(message)) throw notFound('Draft')
    const removed = await settle<{ listeners: number } | 'raced'>(
      async () => (await removeMessage(ctx.stores, ctx.account, message, stamp(ctx))) ?? 'raced',
      async () => ((await findMessage(ctx.stores, ctx.account, id)) ? undefined : { listeners: 1 }),
    )
    if (removed === 'raced') continue
    if (removed.listeners > 0) ctx.wake.webhooks(ctx.account)
    ctx.later(deleteRaw(ctx.stores, [message.rawKey]))
    return { object: 'draft' as const, id, deleted: true as const }
  }
  throw new Problem('service_unavailable', 'The draft is being changed by others; nothing was done.', { retryAfter: 1 })
}

/** What a new draft begins with: the request's fields, and where it answers something, what an answer to that has. */
async function begun(ctx: Caller, body: DraftBody): Promise<Written> {
  const { in_reply_to, attachments: _, ...fields } = body
  if (in_reply_to === null || in_reply_to === undefined) return overlay(BLANK, fields)
  refuseUnread(ctx)
  const original = await readOriginal(ctx, in_reply_to)
  const answer = {
    ...BLANK,
    ...(await answered(ctx, original, body)),
    subject: markedSubject('Re', original.read.subject),
    headers: Object.fromEntries(threadFields(original.read)),
  }
  return overlay(answer, fields)
}

/** Nobody to answer is no fault of a draft. */
async function answered(ctx: Caller, original: Original, body: DraftBody): Promise<Partial<Written>> {
  try {
    return await addresseesOf(ctx, original, 'author', body)
  } catch (error) {
    if (error instanceof Problem && error.code === 'missing_required_field') return {}
    throw error
  }
}

/** Stores the bytes under a new key; answers what the row is to say of them. */
async function store(ctx: Caller, id: string, written: Written, attachments: Attachment[]) {
  const { bytes, sender, bcc } = await composeDraft(ctx, id, written, attachments)
  if (bytes.length > ctx.config.MAX_MESSAGE_BYTES) throw tooLarge(ctx)
  const described = await describeMime(bytes, { account: ctx.account.number, id })
  const { msgidHash, messageId, subject, preview, dated, size, hasAttachment, parts, problems, marks } = described
  const key = rawKey(ctx.account.number, id, Math.floor(ctx.now() / 86_400_000), newToken(ctx))
  await putRaw(ctx.stores, key, bytes, bytes.length)
  const shown = { msgidHash, messageId, subject, preview, dated, size, hasAttachment, parts, problems, marks }
  const parties = { ...described.parties, bcc }
  return { described, rewritten: { ...shown, sender, parties, tags: written.tags, rawKey: key } }
}

/** False where another change came first, or the storage is full. */
async function replace(
  ctx: Caller,
  draft: StoredMessage,
  written: Parameters<typeof replaceDraft>[3],
): Promise<boolean> {
  const done = await settle<{ listeners: number } | 'refused'>(
    async () => (await replaceDraft(ctx.stores, ctx.account, draft, written, stamp(ctx))) ?? 'refused',
    async () => ((await isThere(ctx, draft.id, written.rawKey)) ? { listeners: 1 } : undefined),
  )
  if (done === 'refused') return isThere(ctx, draft.id, written.rawKey)
  if (done.listeners > 0) ctx.wake.webhooks(ctx.account)
  return true
}

async function isThere(ctx: Caller, id: string, key: string): Promise<boolean> {
  return (await findMessage(ctx.stores, ctx.account, id))?.rawKey === key
}

/** Undefined where all stay. @throws Problem validation_error where an id is of no attachment of the draft. */
function keptParts({ stored, root, attachments }: Original, body: DraftPatch): ReadonlySet<string> | undefined {
  const wanted = body.keep_attachments
  if (wanted === undefined) return body.attachments === undefined ? undefined : new Set()
  const ids = attachmentIds(stored.id, root)
  const known = new Map(attachments.map(({ path }) => [ids.get(path) ?? path, path]))
  const fields = wanted.flatMap((id, at) =>
    known.has(id) ? [] : [{ path: `keep_attachments[${at}]`, reason: 'is no attachment of this draft' }],
  )
  const [first] = fields
  if (first) throw new Problem('validation_error', `Invalid \`${first.path}\`: ${first.reason}`, { fields })
  return new Set(wanted.flatMap((id) => known.get(id) ?? []))
}

async function recalled(ctx: Caller, once: Once | undefined): Promise<string | undefined> {
  const kept = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  return typeof kept === 'object' && kept !== null && 'id' in kept ? String(kept.id) : undefined
}

function stamp(ctx: Caller) {
  return { now: ctx.now(), token: newToken(ctx) }
}

function stale({ modseq }: StoredMessage): Problem {
  return new Problem('conflict', `The draft has changed: its modseq is ${modseq} by now.`, {
    fields: [{ path: 'modseq', reason: `is ${modseq} by now` }],
    fix: 'Read the draft anew, and write it with its modseq.',
  })
}
