/** Writes what came back to the message it is about; however it came, and whoever else changes that message meanwhile. */
import { type Context, newToken } from '../context.ts'
import type { Returned } from '../mail/returned/returned.ts'
import { newSuppression, storedKey } from '../record/suppression.ts'
import { findSent, recordFeedback } from '../store/mail/feedback.ts'
import type { About } from '../store/mail/feedback-tasks.ts'
import type { AccountRef } from '../store/stores.ts'
import { applyReturned } from './apply.ts'

/** The relay writes to the same rows; whoever loses this often gives way until later. */
const MAX_RACES = 4

/** Where the mail lies. */
type Place = { mailDb: string; account: number }

/**
 * Applies it to the one recipient; `read` says what came back for an address, and is asked once. Answers the account
 * where someone listens to what changed. Throws where the message kept changing.
 */
export async function recordReturned(
  ctx: Context,
  { mailDb, account }: Place,
  about: About,
  read: (address: string) => Returned,
): Promise<AccountRef | undefined> {
  let returned: Returned | undefined
  for (let race = 0; race < MAX_RACES; race++) {
    const sent = await findSent(ctx.stores, mailDb, account, about.message)
    const recipient = sent?.recipients[about.recipient]
    // Deleted meanwhile, or its account is closing: there is nothing left that it could change.
    if (!sent || !recipient) return undefined
    returned ??= read(recipient.address)
    const change = applyReturned(sent, about.recipient, returned, ctx.now())
    if (!change) {
      const why = returned.kind === 'nothing' ? returned.why : `it is ${recipient.state} already`
      ctx.log('info', 'feedback changes nothing', { account, message: sent.id, kind: returned.kind, why })
      return undefined
    }
    const { suppress } = change
    const suppressions = suppress ? [newSuppression(ctx, storedKey(recipient.address), suppress, sent.id)] : []
    const step = { ...change, suppressions, now: ctx.now(), token: newToken(ctx) }
    const written = await recordFeedback(ctx.stores, sent, step)
    if (written) return written.listeners > 0 ? sent.account : undefined
  }
  throw new Error('the message kept changing')
}

/** What a service told, if it is of this address that it did. */
export function toldOf(address: string, told: { address: string; returned: Returned }): Returned {
  const same = storedKey(told.address) === storedKey(address)
  return same ? told.returned : { kind: 'nothing', why: 'of-another' }
}
