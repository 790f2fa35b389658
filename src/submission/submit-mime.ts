/** Ready mail with its envelope: who may send it is checked as for any other, then it is taken. */
import { Problem } from '../base/problem.ts'
import { type Caller, newId } from '../context.ts'
import { findSender } from '../directory/senders.ts'
import { type Address, parseAddress } from '../mail/address.ts'
import { makeReady } from '../mail/ready.ts'
import { recall } from '../record/once.ts'
import type { Once } from '../store/idempotency.ts'
import { mailOf } from '../store/stores.ts'
import { checkOverride, onceListed } from './suppressed.ts'
import { asAnswer, type Taken, take, tellOne } from './take.ts'

/** As many as one transaction should carry (RFC 5321 section 4.5.3.1.8). */
const MAX_RECIPIENTS = 100

/** Takes a ready message with its envelope: what programs that write MIME themselves use. `toListed`: those on the suppression list get it too. @throws Problem. */
export async function submitRaw(
  ctx: Caller,
  envelope: { from: string; to: string[] },
  bytes: Uint8Array,
  once?: Once,
  toListed = false,
): Promise<Taken> {
  if (toListed) checkOverride(ctx)
  const asked = onceListed(once, toListed)
  const known = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, asked)
  if (known) return asAnswer(known)
  const recipients = readEnvelope(envelope.to)
  const id = newId(ctx)
  const named = parseAddress(envelope.from)
  const domain = named?.domain ?? ctx.config.MAIL_HOST
  const ready = makeReady(bytes, { now: ctx.now(), messageId: `<${id}@${domain}>` })
  const [author] = ready.headerFrom
  if (!author) throw new Problem('invalid_from_address', 'The message has no From.')
  const sender = await findSender(ctx, author.address)
  // Whoever the reader would take for an author must be one of ours, and not the first alone.
  const others = [...ready.headerFrom.slice(1), ...(ready.sender ? [ready.sender] : [])]
  for (const other of others) await findSender(ctx, other.address)
  if (envelope.from !== '') {
    if (!named) throw new Problem('invalid_from_address', 'The envelope’s `from` is not an email address.')
    await findSender(ctx, named)
  }
  const reversePath = named?.address ?? ''
  const submission = { id, bytes: ready.bytes, sender, reversePath, recipients, bcc: [], tags: [], toListed }
  return take<Taken>(ctx, [submission], { id }, asked, tellOne)
}

function readEnvelope(to: string[]): Address[] {
  const read = to.map((text) => parseAddress(text))
  const faults = read.flatMap((address, at) =>
    address ? [] : [{ path: `to[${at}]`, reason: 'is not an email address' }],
  )
  if (read.length === 0) faults.push({ path: 'to', reason: 'needs at least one address' })
  if (read.length > MAX_RECIPIENTS) faults.push({ path: 'to', reason: `has more than ${MAX_RECIPIENTS} addresses` })
  if (faults.length > 0)
    throw new Problem('invalid_parameter', 'The envelope’s `to` is not usable.', { fields: faults })
  const unique = new Map(read.flatMap((address) => (address ? [[address.address, address] as const] : [])))
  return [...unique.values()]
}
