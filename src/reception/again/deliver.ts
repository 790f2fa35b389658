/** A stored message delivered anew: its bytes read by the present parser, asked the present rules, told of again. */
import { notFound, Problem } from '../../base/problem.ts'
import { type Caller, type Context, newToken } from '../../context.ts'
import type { RedeliverBody, Redelivered } from '../../contract/mailbox/redelivery.ts'
import { FILING_PROBLEMS } from '../../contract/reading/content.ts'
import type { AskedRule } from '../../directory/receiving/rule.ts'
import { presentRules } from '../../directory/receiving/rules.ts'
import { type Indexed, MimeIntake } from '../../mail/mime/indexer.ts'
import { readMessage } from '../../mail/mime/read.ts'
import { describe } from '../../record/described.ts'
import { findMessage } from '../../store/mail/reading.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { MAILBOXES, MAX_JSON, RECEIVED } from '../../store/mail/shapes.ts'
import { getRaw } from '../../store/objects.ts'
import { type Reading, rewriteMessage } from '../../store/receiving/rewriting.ts'
import type { AccountRef } from '../../store/stores.ts'
import { receivedEvent } from '../event.ts'
import { applyTo } from '../rules/apply.ts'

/** What is asked of one. `rules`: those that are asked, none where it is empty. */
export type Again = { tell: boolean; rules: readonly AskedRule[] }

/** Of what rules do, what makes no mail: nobody is written to twice because a message was read twice. */
const ACTIONS = ['move', 'keyword', 'mark_read', 'drop']

/** How often it is tried anew because another change came first. */
const RACES = 3

/** @throws Problem not_found (no received message of this id, or its bytes are gone), service_unavailable. */
export async function redeliver(ctx: Caller, id: string, { tell, rules }: RedeliverBody): Promise<Redelivered> {
  const message = await findMessage(ctx.stores, ctx.account, id, RECEIVED)
  if (!message) throw notFound('Message')
  const asked = rules ? await presentRules(ctx, undefined) : []
  const { changed, matched } = await deliverAgain(ctx, ctx.account, message, { tell, rules: asked })
  return { object: 'message', id, changed, matched }
}

/**
 * Does so. Repeated, it changes nothing more, but tells again. Whose verdicts are believed was decided by the door that
 * it came through, and its thread and what it is known by when it comes twice are as they were: these stay.
 * @throws Problem not_found where it or its bytes are gone; service_unavailable.
 */
export async function deliverAgain(
  ctx: Context,
  account: AccountRef,
  message: StoredMessage,
  { tell, rules }: Again,
): Promise<{ changed: boolean; matched: boolean }> {
  const indexed = await readBytes(ctx, message)
  const { parties, subject, preview, dated, hasAttachment, problems, marks } = await describe(
    indexed,
    await readMessage(indexed),
    { account: account.number, id: message.id },
  )
  const parts = JSON.stringify(indexed.root).length > MAX_JSON ? null : indexed.root
  const filing = message.problems.filter((problem) => Object.hasOwn(FILING_PROBLEMS, problem))
  const reading = { parties, subject, preview, dated, hasAttachment, parts, problems: [...problems, ...filing], marks }
  const outcome = rules.length > 0 ? await applyTo(ctx, account, rules, ACTIONS, { ...message, ...reading }) : undefined
  const ruled = outcome === 'unread' ? undefined : outcome
  let present = ruled?.changed ? await findMessage(ctx.stores, account, message.id, RECEIVED) : message
  for (let races = 0; present && races < RACES; races++) {
    const differs = !isSame(present, reading)
    const events = tell && present.recipient !== null ? [toldOf({ ...present, ...reading }, indexed)] : []
    const done = { changed: differs || ruled?.changed === true, matched: ruled?.matched === true }
    if (!differs && events.length === 0) return done
    const stamp = { now: ctx.now(), token: newToken(ctx) }
    const to = { events, ...(differs ? { reading } : {}) }
    const changed = await rewriteMessage(ctx.stores, account, present, to, stamp)
    if (changed) {
      if (changed.listeners > 0) ctx.wake.webhooks(account)
      return done
    }
    present = await findMessage(ctx.stores, account, message.id, RECEIVED)
  }
  if (!present) throw notFound('Message')
  throw new Problem('service_unavailable', 'The message is being changed by others.', { retryAfter: 1 })
}

async function readBytes(ctx: Context, message: StoredMessage): Promise<Indexed> {
  const object = await getRaw(ctx.stores, message.rawKey)
  if (!object) throw notFound('Message')
  const intake = new MimeIntake()
  for await (const chunk of object.body) intake.write(chunk)
  return intake.end()
}

/** Both as columns hold them, where what is undefined is not there. */
function isSame(stored: StoredMessage, reading: Reading): boolean {
  return Object.entries(reading).every(
    ([name, value]) => JSON.stringify(Reflect.get(stored, name)) === JSON.stringify(value),
  )
}

/** As it was told when it came, of where it lies now. */
function toldOf(message: StoredMessage, { root }: Indexed) {
  const role = MAILBOXES.find(({ number }) => number === message.mailbox.number)?.role
  return receivedEvent(message, root, { mailbox: role ?? message.mailbox.id, rules: [] })
}
