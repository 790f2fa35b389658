/** From whom and to whom an answer goes, out of what the message says (RFC 5322 section 3.6.3). */
import { Problem } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import { keysOf } from '../../directory/recipients.ts'
import { addressKey, formatMailbox, type Mailbox, parseAddress, parseMailbox } from '../../mail/address.ts'
import type { Mailbox as ReadMailbox, ReadMessage } from '../../mail/mime/read.ts'
import { looksLikeVerp } from '../../mail/returned/verp.ts'
import { findOwners } from '../../store/directory/owners.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { SENT } from '../../store/mail/shapes.ts'
import { oneLine } from './header.ts'
import type { Original } from './original.ts'

/** Addresses as a request names them. */
export type Addressees = { from: string; to: string[]; cc: string[] }

export type Audience = 'author' | 'everybody' | 'others'

/** What of it the caller named himself: that stands, and nothing is made up in its place. */
type Named = { from?: string | null; to?: string | string[] | null; cc?: string | string[] | null }

/** Longer names are noise, and would not fit the lists that show them. */
const MAX_NAME = 200

/** A mail to more is a list's; answering all of them in one mail would be refused anyway. */
const MAX_LOOKED_UP = 500

/**
 * Whom the answer is from and goes to: `author` where the message asks answers to go, `everybody` all whom it names but
 * the account itself, `others` only whom the caller named.
 * @throws Problem missing_required_field where the message names nobody who could be answered, or no address to answer from.
 */
export async function addresseesOf(
  ctx: Caller,
  { stored, read }: Original,
  audience: Audience,
  named: Named,
): Promise<Addressees> {
  const own = await ownAddresses(ctx, stored, read, named)
  const from = named.from ?? ownSender(stored, read, own)
  if (from === undefined) throw missing('from', 'the message does not tell which of the account’s addresses it reached')
  const { to, cc } = audience === 'others' ? NOBODY : answered(stored, read, audience, own)
  const given = { to: listed(named.to), cc: listed(named.cc) }
  if (!given.to && to.length === 0 && audience !== 'others') throw missing('to', 'the message names nobody to answer')
  const sent = given.to ?? to.map(formatMailbox)
  return { from, to: sent, cc: given.cc ?? withoutThose(cc, sent).map(formatMailbox) }
}

const NOBODY = { to: [], cc: [] }

/** Knows the account's own addresses, and the names they are registered with. */
type Own = { has(mailbox: Mailbox): boolean; nameOf(mailbox: Mailbox): string | null }

/** One read for all addresses that the message names. */
async function ownAddresses(ctx: Caller, stored: StoredMessage, read: ReadMessage, named: Named): Promise<Own> {
  const received = stored.recipient === null ? undefined : parseAddress(stored.recipient)
  const sender = named.from ? parseMailbox(named.from) : undefined
  const all = [
    ...(received ? [received] : []),
    ...mailboxesOf([...read.to, ...read.cc, ...read.replyTo, ...(read.from ? [read.from] : [])]).map(
      ({ address }) => address,
    ),
  ]
  const keys = new Set(all.slice(0, MAX_LOOKED_UP).flatMap((address) => keysOf(address).map(({ key }) => key)))
  const owners = new Map((await findOwners(ctx.stores, [...keys])).map((owner) => [owner.address, owner]))
  // The nearest counts: an address that another account has is not ours because the domain's wildcard is.
  const ownerOf = ({ address }: Mailbox) => keysOf(address).flatMap(({ key }) => owners.get(key) ?? [])[0]
  const surely = new Set([...(received ? [received] : []), ...(sender ? [sender.address] : [])].map(addressKey))
  return {
    has: (mailbox) => surely.has(addressKey(mailbox.address)) || ownerOf(mailbox)?.account === ctx.account.number,
    nameOf: (mailbox) => {
      const owner = ownerOf(mailbox)
      return owner?.account === ctx.account.number ? owner.name : null
    },
  }
}

/** The address that received it, +tag and all, by the name it is registered with; of sent mail its author. */
function ownSender(stored: StoredMessage, read: ReadMessage, own: Own): string | undefined {
  if (stored.direction === SENT) return mailboxesOf(read.from ? [read.from] : []).map(formatMailbox)[0]
  const address = stored.recipient === null ? undefined : parseAddress(stored.recipient)
  if (!address || looksLikeVerp(address.local)) return undefined
  const name = own.nameOf({ address })
  return formatMailbox(name ? { name: oneLine(name, MAX_NAME), address } : { address })
}

function answered(stored: StoredMessage, read: ReadMessage, audience: Audience, own: Own) {
  const named = { to: mailboxesOf(read.to), cc: mailboxesOf(read.cc) }
  if (stored.direction === SENT) return audience === 'author' ? { to: named.to, cc: [] } : named
  const asked = mailboxesOf(read.replyTo)
  const author = asked.length > 0 ? asked : mailboxesOf(read.from ? [read.from] : [])
  if (audience === 'author') return { to: author, cc: [] }
  const isOther = (mailbox: Mailbox) => !own.has(mailbox)
  const to = author.filter(isOther)
  const cc = withoutThose([...named.to, ...named.cc].filter(isOther), to.map(formatMailbox))
  if (to.length > 0) return { to, cc }
  // Our own mail that came back to us: the others are who is meant, and if there are none, we are.
  return cc.length > 0 ? { to: cc, cc: [] } : { to: author, cc: [] }
}

/** Those that mail can be sent to, each once; never a return path of ours, behind which nobody reads. */
function mailboxesOf(written: readonly ReadMailbox[]): Mailbox[] {
  const found = new Map<string, Mailbox>()
  for (const { name, address: text } of written) {
    const address = parseAddress(text)
    if (!address || looksLikeVerp(address.local) || found.has(addressKey(address))) continue
    const line = oneLine(name, MAX_NAME)
    found.set(addressKey(address), line === '' ? { address } : { name: line, address })
  }
  return [...found.values()]
}

/** Those that are not among the texts, each once, as it was written first. */
function withoutThose(mailboxes: readonly Mailbox[], texts: readonly string[]): Mailbox[] {
  const seen = new Set(texts.flatMap((text) => parseMailbox(text)?.address ?? []).map(addressKey))
  return mailboxes.filter(({ address }) => {
    const key = addressKey(address)
    return seen.has(key) ? false : seen.add(key)
  })
}

function listed(value: string | string[] | null | undefined): string[] | undefined {
  if (value === null || value === undefined) return undefined
  return Array.isArray(value) ? value : [value]
}

function missing(path: string, why: string): Problem {
  return new Problem('missing_required_field', `Missing \`${path}\` field: ${why}.`, {
    fields: [{ path, reason: 'is required' }],
    fix: `Give \`${path}\`.`,
  })
}
