/** Mail to a return path of ours: it is about a mail we sent, and is left to the feedback stage. */
import { Problem } from '../base/problem.ts'
import { type Context, newId, newToken } from '../context.ts'
import { findAccountByNumber } from '../directory/accounts.ts'
import type { Address } from '../mail/address.ts'
import { looksLikeVerp, readVerp } from '../mail/returned/verp.ts'
import { addFeedbackTask, FEEDBACK, type FeedbackState, hasFeedbackTask } from '../store/mail/feedback-tasks.ts'
import type { OwedTask } from '../store/mail/filing.ts'
import { bounceKey, putRaw } from '../store/objects.ts'
import { settle } from '../store/settle.ts'
import type { AccountRef } from '../store/stores.ts'
import type { Arrival, Received } from './receive.ts'

/** The one recipient of the one message that a return path proves. */
export type Bounce = { account: AccountRef; message: string; recipient: number }

/** Reads a return path; undefined for every other address, a forged one among them. */
export async function bounceTarget(ctx: Context, address: Address): Promise<Bounce | undefined> {
  return bounceOf(ctx, address.local)
}

/** The same of a return path's local part. */
export async function bounceOf(ctx: Context, local: string): Promise<Bounce | undefined> {
  if (!looksLikeVerp(local)) return undefined
  const token = await readVerp(ctx.keyring, local)
  const account = token && (await findAccountByNumber(ctx, token.account))
  return account && { account, message: token.message, recipient: token.recipient }
}

/**
 * What a mail of ours leaves that comes in again, to an address of ours: it was delivered. Its reverse path proves of
 * which recipient that is; whether it is he that it came to, the feedback stage sees. `ref` is the filed message's id.
 */
export async function deliveryOf(
  ctx: Context,
  { from, to, ref }: { from: string; to: string; ref: string },
): Promise<OwedTask | undefined> {
  const local = from.slice(0, Math.max(0, from.lastIndexOf('@')))
  const token = looksLikeVerp(local) ? await readVerp(ctx.keyring, local) : undefined
  if (!token) return undefined
  const { account: sender, message, recipient } = token
  const told = { address: to, returned: { kind: 'delivered' as const, reply: HERE } }
  return { kind: FEEDBACK, ref, due: ctx.now(), state: { message, recipient, sender, told } satisfies FeedbackState }
}

/** As a report of ours would say it (RFC 3463 section 3.2). */
const HERE = { code: 250, enhanced: '2.1.5', text: 'Delivered to a mailbox of this service' }

/** Stores it, and the task that names it. What it says is read afterwards: nothing in it can make us refuse it. */
export async function keepBounce(ctx: Context, bounce: Bounce, arrival: Arrival): Promise<Received> {
  const id = newId(ctx)
  const key = bounceKey(bounce.account.number, id, newToken(ctx))
  await putRaw(ctx.stores, key, arrival.raw, arrival.size)
  if (!(await oweReading(ctx, bounce, { id, key, from: arrival.from }))) {
    throw new Problem('not_found', 'No such address here')
  }
  return { id, duplicate: false }
}

/** Owes the reading of what came back; false where the account takes nothing any more. */
export async function oweReading(
  ctx: Context,
  { account, message, recipient }: Bounce,
  { id, key, from }: { id: string; key: string; from: string },
): Promise<boolean> {
  const task = { id, due: ctx.now(), state: { message, recipient, key, from } }
  return settle(
    () => addFeedbackTask(ctx.stores, account, task),
    async () => (await hasFeedbackTask(ctx.stores, account, id)) || undefined,
  )
}
