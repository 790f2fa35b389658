/** Many messages are changed, moved or deleted at once: read, planned, and made in one batch that holds only while none has changed. */
import type * as z from 'zod'
import { notFound, Problem } from '../base/problem.ts'
import { type Caller, newToken } from '../context.ts'
import { type BulkAnswer, type BulkBody, MAX_BULK, MAX_COPIES } from '../contract/mailbox/bulk.ts'
import { findMailbox, type Mailbox } from '../store/mail/boxes.ts'
import { type Alteration, alterMessages, removeMessages } from '../store/mail/keeping.ts'
import { findHeld } from '../store/mail/reading.ts'
import type { HeldMessage } from '../store/mail/rows.ts'
import { RECEIVED, SENT } from '../store/mail/shapes.ts'
import { scanMessages } from '../store/mailbox/scan.ts'
import { deleteRaw } from '../store/objects.ts'
import { settle } from '../store/settle.ts'
import { isAlready, planned, racing } from './change.ts'
import { copyMany } from './copy.ts'
import { normalAddress } from './read.ts'

type Answer = z.input<typeof BulkAnswer>
type Outcome = Answer['data'][number]

/** Messages that a filter looks at in one request, whether it matches them or not: each is a row read. */
const WINDOW = 5000

/** Octets of keywords in one batch: a bound parameter and an event are 2 MB at most. */
const MAX_TOLD = 512 * 1024

/** Octets that an event and a statement take for a message, its keywords aside. */
const TOLD_EACH = 300

/** Does what the body asks to each that it names or finds. @throws Problem not_found (a filter's mailbox), validation_error, payload_too_large, service_unavailable. */
export async function changeMany(ctx: Caller, body: BulkBody): Promise<Answer> {
  const found = body.filter ? await scanFor(ctx, body) : { ids: body.ids ?? [] }
  const ids = [...new Set(found.ids)]
  const data = await actOn(ctx, body, ids)
  const next = found.next ?? null
  return { object: 'list', has_more: next !== null, next_after: next, data }
}

/** What a filter finds from where the last request ended. */
async function scanFor(ctx: Caller, { filter = {}, copy_to }: BulkBody): Promise<{ ids: string[]; next?: string }> {
  const box = filter.mailbox === undefined ? undefined : await findMailbox(ctx.stores, ctx.account, filter.mailbox)
  if (filter.mailbox !== undefined && !box) throw notFound('Mailbox')
  const { thread, direction, address, before } = filter
  const scan = {
    ...(box ? { mailbox: box.number } : {}),
    ...(thread === undefined ? {} : { thread }),
    ...(direction === undefined ? {} : { direction: direction === 'sent' ? SENT : RECEIVED }),
    ...(address === undefined ? {} : { address: normalAddress(address) }),
    ...(before === undefined ? {} : { before: Date.parse(before) }),
  }
  const limit = copy_to === undefined ? MAX_BULK : MAX_COPIES
  // What an index finds by itself matches all that is looked at.
  const window = Object.keys(scan).length > 1 || 'address' in scan || 'before' in scan ? WINDOW : limit
  const { messages, next } = await scanMessages(ctx.stores, ctx.account, scan, {
    after: filter.after,
    window,
    limit,
  })
  return { ids: messages.map(({ id }) => id), ...(next === undefined ? {} : { next }) }
}

async function actOn(ctx: Caller, body: BulkBody, ids: readonly string[]): Promise<Outcome[]> {
  if (body.copy_to !== undefined) return copyMany(ctx, ids, await targetBox(ctx, 'copy_to', body.copy_to))
  if (body.delete && body.permanent) return removeMany(ctx, ids)
  const box = body.delete
    ? await targetBox(ctx, 'mailbox', 'trash')
    : body.mailbox === undefined
      ? undefined
      : await targetBox(ctx, 'mailbox', body.mailbox)
  return alterMany(ctx, ids, body.keywords ?? {}, box)
}

async function alterMany(
  ctx: Caller,
  ids: readonly string[],
  keywords: Record<string, boolean>,
  box: Mailbox | undefined,
): Promise<Outcome[]> {
  const refused = new Map<string, string>()
  const plan = (messages: readonly HeldMessage[]) =>
    messages.flatMap((message): Alteration[] => {
      refused.delete(message.id)
      const words = planned(message.keywords, keywords)
      if (words instanceof Problem) {
        refused.set(message.id, words.message)
        return []
      }
      const target = { keywords: words, mailbox: box ?? message.mailbox }
      return isAlready(message, target) ? [] : [{ message, target }]
    })
  const seen = await inParts(ctx, ids, async (part) => {
    const attempt = async () => {
      const messages = await findHeld(ctx.stores, ctx.account, part)
      const changes = plan(messages)
      if (changes.length > 0) {
        const changed = await alterMessages(ctx.stores, ctx.account, changes, stamp(ctx))
        if (!changed) return 'raced'
        if (changed.listeners > 0) ctx.wake.webhooks(ctx.account)
      }
      return messages
    }
    const readBack = async () => {
      const messages = await findHeld(ctx.stores, ctx.account, part)
      return plan(messages).length === 0 ? messages : undefined
    }
    return racing(() => settle<HeldMessage[] | 'raced'>(attempt, readBack))
  })
  return outcomes(ids, seen, refused)
}

async function removeMany(ctx: Caller, ids: readonly string[]): Promise<Outcome[]> {
  const refused = new Map<string, string>()
  const seen = await inParts(ctx, ids, async (part) => {
    const known = new Map<string, HeldMessage>()
    const attempt = async () => {
      const messages = await findHeld(ctx.stores, ctx.account, part)
      for (const message of messages) {
        known.set(message.id, message)
        refused.delete(message.id)
      }
      const free = messages.filter(({ due }) => due === null)
      for (const { id } of messages.filter(({ due }) => due !== null)) refused.set(id, OWED)
      if (free.length > 0) {
        const removed = await removeMessages(ctx.stores, ctx.account, free, stamp(ctx))
        if (!removed) return 'raced'
        if (removed.listeners > 0) ctx.wake.webhooks(ctx.account)
      }
      return 'removed'
    }
    const readBack = async () => {
      const left = await findHeld(ctx.stores, ctx.account, part)
      return left.every(({ due }) => due !== null) ? 'removed' : undefined
    }
    await racing(() => settle<'raced' | 'removed'>(attempt, readBack))
    const gone = [...known.values()].filter(({ id }) => !refused.has(id))
    // The rows are gone, so nothing leads to the bytes; if this fails, the sweep finds them.
    ctx.later(
      deleteRaw(
        ctx.stores,
        gone.map(({ rawKey }) => rawKey),
      ),
    )
    return [...known.values()]
  })
  return outcomes(ids, seen, refused)
}

const OWED = 'is still being delivered and cannot be deleted for good'

/** All at once, unless their keywords are more than a batch can hold: then in parts, one after the other. */
async function inParts(
  ctx: Caller,
  ids: readonly string[],
  act: (ids: readonly string[]) => Promise<readonly HeldMessage[]>,
): Promise<HeldMessage[]> {
  if (ids.length === 0) return []
  const messages = await findHeld(ctx.stores, ctx.account, ids)
  const parts: string[][] = [[]]
  let told = 0
  for (const { id, keywords } of messages) {
    const size = TOLD_EACH + keywords.reduce((sum, keyword) => sum + keyword.length + 10, 0)
    if (told + size > MAX_TOLD) parts.push([])
    told = told + size > MAX_TOLD ? size : told + size
    parts.at(-1)?.push(id)
  }
  const seen: HeldMessage[] = []
  for (const part of parts.filter(({ length }) => length > 0)) seen.push(...(await act(part)))
  return seen
}

function outcomes(
  ids: readonly string[],
  seen: readonly HeldMessage[],
  refused: ReadonlyMap<string, string>,
): Outcome[] {
  const there = new Set(seen.map(({ id }) => id))
  return ids.map((id) => {
    const reason = refused.get(id)
    if (reason !== undefined) return { id, status: 'refused', reason }
    return { id, status: there.has(id) ? 'done' : 'not_found' }
  })
}

async function targetBox(ctx: Caller, path: string, name: string): Promise<Mailbox> {
  const box = await findMailbox(ctx.stores, ctx.account, name)
  if (box) return box
  const reason = 'there is no such mailbox'
  throw new Problem('validation_error', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }] })
}

function stamp(ctx: Caller) {
  return { now: ctx.now(), token: newToken(ctx) }
}
