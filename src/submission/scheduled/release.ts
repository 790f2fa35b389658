/**
 * The clock's part: mail whose time has come is checked once more, dated, signed, and becomes due for the relay.
 * Its sends are counted on the day of its release. A crash at any point leaves it waiting, or released; never both, never neither.
 */
import { describeError } from '../../base/log.ts'
import { type Caller, type Context, newToken } from '../../context.ts'
import { deleteRaw } from '../../store/objects.ts'
import { findReleased, type Release, releaseTogether } from '../../store/sending/release.ts'
import { claimDue, type Due } from '../../store/sending/waiting.ts'
import { settle } from '../../store/settle.ts'
import type { AccountRef } from '../../store/stores.ts'
import { boundedMap } from '../bounded.ts'
import { findListed, type Reason } from '../suppressed.ts'
import { postpone } from './postpone.ts'
import { prepare, withoutListed } from './prepare.ts'

/** So many are claimed at once, and those of one account made due together. */
const PAGE = 25

/** D1 allows an invocation a thousand statements, and other sweeps run in it too. */
const MOST_STATEMENTS = 500

/** Nothing is begun later in a tick: the next tick is there by then. */
const WORK_MS = 45_000

/** Longer than a page takes; what a crash left is taken up again then. */
const CLAIM_MS = 3 * 60_000

/** Up to here mails are prepared side by side; larger ones alone, for memory is scarce. */
const SMALL = 1024 * 1024
const SIDE_BY_SIDE = 4

/** Releases what is due in every mail database; trouble with one holds up no other. */
export async function sweepScheduled(ctx: Context): Promise<void> {
  const end = ctx.now() + WORK_MS
  for (const mailDb of ctx.stores.mail.keys()) {
    await releaseDue(ctx, mailDb, end).catch((error) => trouble(ctx, { database: mailDb }, error))
  }
}

async function releaseDue(ctx: Context, mailDb: string, end: number): Promise<void> {
  for (let spent = 0; spent < MOST_STATEMENTS && ctx.now() < end; ) {
    const now = ctx.now()
    const claim = { token: newToken(ctx), now, until: now + CLAIM_MS, limit: PAGE }
    const mails = await claimDue(ctx.stores, mailDb, claim)
    const accounts = [...Map.groupBy(mails, ({ account }) => account.number).values()]
    for (const some of accounts) await releaseOfOne(ctx, some)
    if (mails.length < PAGE) return
    // An event and the message for each mail, the counters twice for each account.
    spent += 1 + 2 * (mails.length + accounts.length)
  }
}

/** Mail of one account. What fails here keeps its claim until that lapses, and then is tried again. */
async function releaseOfOne(ctx: Context, mails: readonly Due[]): Promise<void> {
  const [first] = mails
  if (!first) return
  const caller = callerFor(ctx, first.account)
  try {
    const { fitting, over } = byQuota(mails)
    for (const mail of over) await postpone(caller, mail)
    const small = await boundedMap(
      fitting.filter(({ size }) => size <= SMALL),
      SIDE_BY_SIDE,
      (mail) => prepare(caller, mail),
    )
    const large = await boundedMap(
      fitting.filter(({ size }) => size > SMALL),
      1,
      (mail) => prepare(caller, mail),
    )
    const releases = [...small, ...large].filter((release) => release !== undefined)
    if (releases.length > 0) await commit(caller, releases)
  } catch (error) {
    trouble(ctx, { account: first.account.id }, error)
  }
}

/** Those that the day's sends hold, in order; it is the batch that counts them. */
function byQuota(mails: readonly Due[]): { fitting: Due[]; over: Due[] } {
  let left = mails[0]?.sends?.left ?? Number.POSITIVE_INFINITY
  const fitting: Due[] = []
  const over: Due[] = []
  for (const mail of mails) {
    const fits = mail.recipients.length <= left
    if (fits) left -= mail.recipients.length
    const side = fits ? fitting : over
    side.push(mail)
  }
  return { fitting, over }
}

/** Makes them due in one batch without those on the suppression list; where that does not hold, each by itself. */
async function commit(ctx: Caller, releases: readonly Release[]): Promise<void> {
  const listed = new Map<string, Reason>()
  for (;;) {
    const marked = releases.map((release) => withoutListed(release, listed, ctx.now()))
    const changed = await commitOnce(ctx, marked)
    if (changed) return released(ctx, marked, changed)
    const known = listed.size
    await findListed(ctx, listed, {
      clear: marked.flatMap((release) => release.clear),
      members: marked.flatMap((release) => release.members),
    })
    // Each round finds more of them or is the last.
    if (listed.size === known) break
  }
  const [first, ...others] = releases
  if (first && others.length === 0) return lost(ctx, first)
  for (const release of releases) await commit(ctx, [release])
}

function commitOnce(ctx: Caller, releases: readonly Release[]): Promise<{ listeners: number } | undefined> {
  const { stores, account } = ctx
  const readBack = async () => {
    const rows = await findReleased(
      stores,
      account,
      releases.map(({ mail }) => mail.id),
    )
    return releases.every(({ mail, rawKey }) => rows.get(mail.id)?.rawKey === rawKey) ? { listeners: 1 } : undefined
  }
  return settle<{ listeners: number } | undefined>(
    () => releaseTogether(stores, account, releases, { now: ctx.now(), token: newToken(ctx) }),
    readBack,
  )
}

function released(ctx: Caller, releases: readonly Release[], { listeners }: { listeners: number }): void {
  const due = releases.filter((release) => release.due !== null).map(({ mail }) => mail.id)
  if (due.length > 0) ctx.wake.relay(ctx.account, due)
  if (listeners > 0) ctx.wake.webhooks(ctx.account)
  // No row names them any more; if this fails, the sweep of orphans finds them.
  const old = releases.map(({ mail }) => mail.rawKey)
  ctx.later(deleteRaw(ctx.stores, old))
}

/** It was called off or put off meanwhile, or the day's sends are used up. */
async function lost(ctx: Caller, release: Release): Promise<void> {
  const { mail, rawKey } = release
  const row = (await findReleased(ctx.stores, ctx.account, [mail.id])).get(mail.id)
  // A try that was given up for lost may yet have been made: then the bytes must stay.
  if (row?.rawKey === rawKey) return released(ctx, [release], { listeners: 1 })
  await deleteRaw(ctx.stores, [rawKey])
  if (row?.waits && row.scheduledAt === mail.scheduledAt) await postpone(ctx, mail)
}

/** Whoever scheduled it was allowed to; whether its sender still may send is asked anew. */
function callerFor(ctx: Context, account: AccountRef): Caller {
  return { ...ctx, account, access: { key: 'clock', scopes: new Set() } }
}

function trouble(ctx: Context, where: Record<string, string>, error: unknown): void {
  ctx.log('error', 'scheduled mail could not be released', { ...where, error: describeError(error) })
}
