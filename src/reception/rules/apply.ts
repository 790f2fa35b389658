/** What rules want of one stored message, done: keywords and mailbox in one change, the rest left to others. */

import { Problem } from '../../base/problem.ts'
import type { Context } from '../../context.ts'
import { newToken } from '../../context.ts'
import type { AskedRule } from '../../directory/receiving/rule.ts'
import { parseAddress } from '../../mail/address.ts'
import type { ReadMessage } from '../../mail/mime/read.ts'
import { findMailbox } from '../../store/mail/boxes.ts'
import type { OwedTask } from '../../store/mail/filing.ts'
import { alterMessage } from '../../store/mail/keeping.ts'
import { findMessage } from '../../store/mail/reading.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { RECEIVED } from '../../store/mail/shapes.ts'
import type { Taker } from '../../store/receiving/takers.ts'
import type { AccountRef } from '../../store/stores.ts'
import { owedFor } from '../owed.ts'
import { Facts } from './facts.ts'
import { judge, type Ruling, TooMuchWork } from './judge.ts'
import { needBytes, readStored } from './stored.ts'

/** How often a change is tried anew because another one came first. */
const RACES = 3

type Outcome = { matched: boolean; changed: boolean; owed: OwedTask[] }

/** Asks one message and changes it; `unread` where it could not be asked. Repeated, it changes nothing more. */
export async function applyTo(
  ctx: Context,
  account: AccountRef,
  rules: readonly AskedRule[],
  actions: readonly string[],
  message: StoredMessage,
): Promise<Outcome | 'unread'> {
  const tells = actions.includes('forward') || actions.includes('reply')
  const asked = rules.map((rule) => ({ ...rule, actions: rule.actions.filter((action) => isWanted(action, actions)) }))
  try {
    const read = tells || needBytes(asked) ? await readStored(ctx, message) : undefined
    const { ruling } = judge(asked, new Facts(message, read ?? NOTHING))
    if (ruling.matched.length === 0) return { matched: false, changed: false, owed: [] }
    const changed = await change(ctx, account, message, ruling)
    return { matched: true, changed, owed: read && tells ? owedBy(ctx, account, message, read, ruling) : [] }
  } catch (error) {
    if (error instanceof TooMuchWork || (error instanceof Problem && error.code === 'not_found')) return 'unread'
    throw error
  }
}

const NOTHING = { headers: [], text: undefined, html: undefined, attachments: [] }

/** Nothing that is stored can be refused, and the change itself is what webhooks are told. */
function isWanted(action: Record<string, unknown>, wanted: readonly string[]): boolean {
  return Object.entries(action).some(([name, value]) => value !== undefined && wanted.includes(name))
}

/** Sets what the rules want; false where it is so already, or the message is gone. */
async function change(ctx: Context, account: AccountRef, read: StoredMessage, ruling: Ruling): Promise<boolean> {
  let message: StoredMessage | undefined = read
  for (let races = 0; message && races < RACES; races++) {
    const mailbox = ruling.box ? await boxOf(ctx, account, message, ruling.box) : message.mailbox
    const keywords = [...new Set([...message.keywords, ...ruling.keywords])]
    if (mailbox.number === message.mailbox.number && keywords.length === message.keywords.length) return false
    const stamp = { now: ctx.now(), token: newToken(ctx) }
    const changed = await alterMessage(ctx.stores, account, message, { keywords, mailbox }, stamp)
    if (changed) {
      if (changed.listeners > 0) ctx.wake.webhooks(account)
      return true
    }
    message = await findMessage(ctx.stores, account, read.id, RECEIVED)
  }
  // Whoever changes it all the time knows better where it belongs.
  return false
}

/** The mailbox with its id; where it is gone, the message stays where it is. */
async function boxOf(ctx: Context, account: AccountRef, message: StoredMessage, box: { number: number; name: string }) {
  if (box.number === message.mailbox.number) return message.mailbox
  const found = await findMailbox(ctx.stores, account, box.name)
  return found ? { number: found.number, id: found.id } : message.mailbox
}

function owedBy(
  ctx: Context,
  account: AccountRef,
  message: StoredMessage,
  read: ReadMessage,
  ruling: Ruling,
): OwedTask[] {
  const written = parseAddress(message.recipient ?? '')
  if (!written) return []
  const own: Taker = { account, address: message.address ?? written.address, settings: {}, forwardTo: [], rules: [] }
  const filed = { ...message, mailbox: message.mailbox.number }
  return owedFor(ctx, { message: filed, read, written, own: [own], ruling }).tasks
}
