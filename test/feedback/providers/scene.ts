/** Mail that a service relayed, to be told of. */
import { sql } from 'drizzle-orm'
import { utf8 } from '../../../src/base/bytes.ts'
import type { GuardedAnswer, GuardedRequest } from '../../../src/context.ts'
import { makeVerp } from '../../../src/mail/returned/verp.ts'
import { eventsOf, putOutbox, readOutbox, run } from '../../relay/outbox.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'

/** The URLs that were fetched. */
export const asked: string[] = []
/** What lies at them. */
export const pages = new Map<string, string>()

/** The network of these tests: certificates at their places, and every other page is an empty one. */
async function fetch({ url }: GuardedRequest): Promise<GuardedAnswer> {
  asked.push(url)
  return { kind: 'answered', status: 200, headers: new Headers(), body: utf8(pages.get(url) ?? '') }
}

export const world = await makeWorld({ net: { fetch } })

/** An account with a mail the relay took for each of two, and their tokens. */
export async function sentMail() {
  const owner = await makeAccount(world)
  const { account } = owner
  const id = await putOutbox(world.ctx, account, ['ann@x.test', 'bob@x.test'])
  const { recipients } = await readOutbox(world.ctx, account, id)
  const sent = JSON.stringify(recipients.map(({ due: _, ...rest }) => ({ ...rest, state: 'sent' })))
  await run(world.ctx, sql`UPDATE messages SET recipients = ${sent}, due = NULL, last_event = 'sent' WHERE id = ${id}`)
  const token = async (recipient: number) => {
    const path = await makeVerp(world.ctx.keyring, { account: account.number, message: id, recipient }, 'send.x.test')
    return path.split('@')[0] ?? ''
  }
  const states = async () => (await readOutbox(world.ctx, account, id)).recipients.map(({ state }) => state)
  return { owner, account, id, tokens: [await token(0), await token(1)], states }
}

export type Sent = Awaited<ReturnType<typeof sentMail>>

export async function told({ account }: Sent) {
  return (await eventsOf(world.ctx, account)).filter(({ type }) => type.startsWith('email.'))
}

export async function suppressed({ account }: Sent): Promise<string[]> {
  const rows = await world.ctx.stores.directory.all<{ email: string }>(
    sql`SELECT email FROM suppressions WHERE account = ${account.number}`,
  )
  return rows.map(({ email }) => email)
}

/** What the account was told of the first of its recipients, in short: `bounced Permanent NoEmail suppressed`. */
export async function fateOf(sent: Sent): Promise<string> {
  const [event] = await told(sent)
  const { bounce } = (event?.data ?? {}) as { bounce?: { type: string; subType: string } }
  const dead = (await suppressed(sent)).length > 0 ? 'suppressed' : ''
  return [(await sent.states())[0], bounce?.type, bounce?.subType, dead].filter(Boolean).join(' ')
}
