/** A waiting mail on its way to be released: its sender asked about again, its bytes dated, signed and stored under a new key. */
import { describeError } from '../../base/log.ts'
import { Problem } from '../../base/problem.ts'
import { type Caller, newToken } from '../../context.ts'
import { findSender } from '../../directory/senders.ts'
import { signDkim } from '../../mail/dkim.ts'
import { makeReady } from '../../mail/ready.ts'
import { describeMime } from '../../record/described.ts'
import { sentMailEvent } from '../../record/email-event.ts'
import { storedKey } from '../../record/suppression.ts'
import { lastEventOf } from '../../store/mail/deliveries.ts'
import { getRaw, putRaw, rawKey } from '../../store/objects.ts'
import type { Release } from '../../store/sending/release.ts'
import type { Waiting } from '../../store/sending/waiting.ts'
import { type Listed, leaveOut, membersOf } from '../suppressed.ts'
import { giveUp, isTooOld } from './postpone.ts'

/** Ready to be made due; undefined where it is given up for good, or trouble of ours leaves it for a later try. */
export async function prepare(ctx: Caller, mail: Waiting): Promise<Release | undefined> {
  try {
    return await sealAndStore(ctx, mail)
  } catch (error) {
    ctx.log('warn', 'a scheduled mail could not be prepared', { id: mail.id, error: describeError(error) })
    const final = error instanceof Problem && FINAL.has(error.code)
    if (final || isTooOld(ctx, mail)) await giveUp(ctx, mail, final ? error.message : 'it could not be prepared')
    return undefined
  }
}

/** The same without those who are on the suppression list or have left the mail's: marked, told of and not counted. */
export function withoutListed(release: Release, listed: Listed, now: number): Release {
  const { recipients, told } = leaveOut(release.mail, release.recipients, listed, now)
  const open = recipients.filter(({ state }) => state === 'queued')
  return {
    ...release,
    recipients,
    told,
    clear: open.map(({ address }) => storedKey(address)),
    members: membersOf(open),
    lastEvent: lastEventOf(recipients),
    due: open.length > 0 ? release.due : null,
  }
}

/** What no later try would change. */
const FINAL: ReadonlySet<string> = new Set(['domain_not_verified', 'invalid_from_address', 'not_found'])

async function sealAndStore(ctx: Caller, mail: Waiting): Promise<Release> {
  const now = ctx.now()
  const object = await getRaw(ctx.stores, mail.rawKey)
  if (!object) throw new Problem('not_found', 'The stored message is gone.')
  const stored = new Uint8Array(await object.arrayBuffer())
  const { bytes, headerFrom } = makeReady(stored, { now, messageId: `<${mail.messageId}>` })
  const [author] = headerFrom
  if (!author) throw new Problem('invalid_from_address', 'The message has no From.')
  const sender = await findSender(ctx, author.address)
  const sealed = await signDkim(bytes, sender.dkim, now)
  const { account } = ctx
  const { dated, parts } = await describeMime(sealed, { account: account.number, id: mail.id })
  const key = rawKey(account.number, mail.id, Math.floor(now / 86_400_000), newToken(ctx))
  await putRaw(ctx.stores, key, sealed, sealed.length)
  return {
    mail,
    rawKey: key,
    size: sealed.length,
    dated,
    parts,
    recipients: mail.recipients.map((recipient) => ({ ...recipient, due: now, since: now, updatedAt: now })),
    lastEvent: 'queued',
    due: now,
    event: sentMailEvent('email.queued', mail),
    told: [],
    clear: [],
    members: [],
  }
}
