/**
 * What mail services of others tell of mail that they relayed: believed for the one recipient whose token they give
 * back, and applied at once; where that fails, it is kept as a task.
 */
import { describeError } from '../base/log.ts'
import { Problem } from '../base/problem.ts'
import { type Context, newId } from '../context.ts'
import { findAccountByNumber } from '../directory/accounts.ts'
import type { Call, ProviderEvent } from '../directory/providers/adapter.ts'
import { ADAPTERS } from '../directory/providers/adapters.ts'
import { findCalled, learn } from '../directory/providers/providers.ts'
import { readVerp, type VerpToken } from '../mail/returned/verp.ts'
import { type About, addFeedbackTask, hasFeedbackTask } from '../store/mail/feedback-tasks.ts'
import { settle } from '../store/settle.ts'
import { type AccountRef, INSTANCE } from '../store/stores.ts'
import { recordReturned, toldOf } from './record.ts'

/** Takes a call of a service; what it says is stored when this returns. @throws Problem as the service's adapter does; not_found. */
export async function takeCall(ctx: Context, id: string, call: Call) {
  const provider = await findCalled(ctx, id)
  const adapter = ADAPTERS[provider.kind]
  if (!adapter.events || !adapter.prove) throw new Problem('not_found', 'This provider tells of no events')
  const proven = await adapter.prove(ctx, provider, call)
  if (proven.settings) await learn(ctx, provider, proven.settings)
  const events = await takeEvents(ctx, provider.account, adapter.events(proven.content))
  return { object: 'taken' as const, events }
}

/** Takes what a service told that `account` trusts, and every account where that is the instance; answers how much of it was about mail of ours. */
export async function takeEvents(ctx: Context, account: number, events: readonly ProviderEvent[]): Promise<number> {
  let taken = 0
  for (const event of events) {
    const token = await readToken(ctx, event.tokens)
    const own = token && (account === INSTANCE.number || account === token.account)
    const owner = own ? await findAccountByNumber(ctx, token.account) : undefined
    if (token && owner) {
      await takeEvent(ctx, owner, token, event)
      taken++
    } else ctx.log('info', 'a provider told of no mail of ours', { account, kind: event.returned.kind })
  }
  return taken
}

/** Applies what was told of a recipient of ours, or owes it. Throws where neither can be done now. */
export async function takeEvent(
  ctx: Context,
  owner: AccountRef,
  { message, recipient }: About,
  event: Pick<ProviderEvent, 'recipient' | 'returned'>,
): Promise<void> {
  const about = { message, recipient }
  const told = { address: event.recipient, returned: event.returned }
  try {
    const place = { mailDb: owner.mailDb, account: owner.number }
    const listening = await recordReturned(ctx, place, about, (address) => toldOf(address, told))
    if (listening) ctx.wake.webhooks(listening)
  } catch (error) {
    ctx.log('warn', 'feedback was put off', { account: owner.number, error: describeError(error) })
    const id = newId(ctx)
    await settle(
      () => addFeedbackTask(ctx.stores, owner, { id, due: ctx.now(), state: { ...about, told } }),
      async () => (await hasFeedbackTask(ctx.stores, owner, id)) || undefined,
    )
  }
}

/** The first that we made; each is a token, or an address that has it as its local part. */
async function readToken(ctx: Context, tokens: readonly string[]): Promise<VerpToken | undefined> {
  for (const text of tokens) {
    const bare = /^[^<>]{0,200}<([^<>]{1,320})>\s*$/.exec(text)?.[1] ?? text.trim()
    const token = await readVerp(ctx.keyring, bare.split('@', 1)[0] ?? '')
    if (token) return token
  }
  return undefined
}
