/** Mailboxes: those that every account has, and its own. */
import type * as z from 'zod'
import { notFound, Problem } from '../base/problem.ts'
import { type Caller, newId, newToken } from '../context.ts'
import { MailboxView } from '../contract/mailbox/mailboxes.ts'
import { isoTime } from '../record/email-event.ts'
import { keeping, recall } from '../record/once.ts'
import { listOf } from '../record/page.ts'
import type { Once } from '../store/idempotency.ts'
import {
  findMailbox,
  insertMailbox,
  listMailboxes as listBoxes,
  MAX_MAILBOXES,
  type Mailbox,
  removeMailbox,
  renameMailbox as renameBox,
} from '../store/mail/boxes.ts'
import { settle } from '../store/settle.ts'
import { mailOf } from '../store/stores.ts'

type View = z.output<typeof MailboxView>

/** All of the account's: there are few, so this is one page. */
export async function listMailboxes(ctx: Caller) {
  return listOf((await listBoxes(ctx.stores, ctx.account)).map(view), false)
}

/** By id or role. @throws Problem not_found. */
export async function getMailbox(ctx: Caller, name: string): Promise<View> {
  return view(await find(ctx, name))
}

/** Makes a mailbox. @throws Problem validation_error (name taken, too many), service_unavailable. */
export async function createMailbox(ctx: Caller, body: { name: string }, once?: Once): Promise<View> {
  const known = await recalled(ctx, once)
  if (known) return known
  const id = newId(ctx)
  const now = ctx.now()
  const answer = view({
    id,
    number: 0,
    name: body.name,
    role: null,
    uidvalidity: Math.floor(now / 1000),
    createdAt: now,
    messages: 0,
    unread: 0,
  })
  const kept = await keeping(ctx, ctx.account.number, once, 201, answer)
  const made = await settle(
    async () => {
      const stamp = { now, token: newToken(ctx) }
      const changed = await insertMailbox(ctx.stores, ctx.account, { id, name: body.name }, stamp, kept)
      return changed ?? { seq: 0, listeners: -1 }
    },
    async () => ((await findMailbox(ctx.stores, ctx.account, id)) ? { seq: 0, listeners: 1 } : undefined),
  )
  if (made.listeners > 0) ctx.wake.webhooks(ctx.account)
  if (made.listeners >= 0) return answer
  return (await recalled(ctx, once)) ?? refuseNew(ctx, body.name)
}

/** Renames it. @throws Problem not_found, validation_error (name taken), service_unavailable. */
export async function renameMailbox(ctx: Caller, name: string, body: { name: string }): Promise<View> {
  const box = await find(ctx, name)
  if (box.name === body.name) return view(box)
  const renamed = { ...box, name: body.name }
  const changed = await settle(
    async () => (await renameBox(ctx.stores, ctx.account, box, body.name, stamp(ctx))) ?? 'refused',
    async () => {
      const found = await findMailbox(ctx.stores, ctx.account, box.id)
      return found?.name === body.name ? { seq: 0, listeners: 1 } : undefined
    },
  )
  if (changed === 'refused') throw refused('name', 'another mailbox has this name')
  if (changed.listeners > 0) ctx.wake.webhooks(ctx.account)
  return view(renamed)
}

/** Deletes an empty mailbox of the account's own. @throws Problem not_found, validation_error, service_unavailable. */
export async function deleteMailbox(ctx: Caller, name: string) {
  const box = await find(ctx, name)
  if (box.role !== null) {
    throw new Problem('validation_error', `Every account has the mailbox ${box.name}; it cannot be deleted.`)
  }
  const changed = await settle(
    async () => (await removeMailbox(ctx.stores, ctx.account, box, stamp(ctx))) ?? 'refused',
    async () => ((await findMailbox(ctx.stores, ctx.account, box.id)) ? undefined : { seq: 0, listeners: 1 }),
  )
  if (changed === 'refused') {
    throw new Problem('validation_error', 'The mailbox is not empty.', {
      fix: 'Move or delete its messages for good first.',
    })
  }
  if (changed.listeners > 0) ctx.wake.webhooks(ctx.account)
  return { object: 'mailbox' as const, id: box.id, deleted: true as const }
}

async function recalled(ctx: Caller, once: Once | undefined): Promise<View | undefined> {
  const known = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  return known === undefined ? undefined : MailboxView.parse(known)
}

async function refuseNew(ctx: Caller, name: string): Promise<never> {
  const boxes = await listBoxes(ctx.stores, ctx.account)
  if (boxes.length >= MAX_MAILBOXES) {
    throw new Problem('validation_error', `An account has at most ${MAX_MAILBOXES} mailboxes.`)
  }
  if (boxes.some((box) => box.name.toLowerCase() === name.toLowerCase())) {
    throw refused('name', 'another mailbox has this name')
  }
  throw notFound('Account')
}

async function find(ctx: Caller, name: string): Promise<Mailbox> {
  const box = await findMailbox(ctx.stores, ctx.account, name)
  if (!box) throw notFound('Mailbox')
  return box
}

function stamp(ctx: Caller) {
  return { now: ctx.now(), token: newToken(ctx) }
}

function view(box: Mailbox): View {
  return {
    object: 'mailbox',
    id: box.id,
    name: box.name,
    role: MailboxView.shape.role.parse(box.role),
    total: box.messages,
    unread: box.unread,
    uidvalidity: box.uidvalidity,
    created_at: isoTime(box.createdAt),
  }
}

function refused(path: string, reason: string): Problem {
  return new Problem('validation_error', `Invalid \`${path}\`: ${reason}`, { fields: [{ path, reason }] })
}
