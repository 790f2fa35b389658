/** What a check of the DNS makes of a domain: pure, so that every way it can go is tried in a test. */
import type { Context } from '../../context.ts'
import type { DomainRow } from '../../store/directory/domains.ts'
import { type Expectation, expectationsOf } from './records.ts'
import { type Checks, type Finding, readChecks, readOtherKey } from './stored.ts'

export type DomainStatus = DomainRow['status']

/** Where the checking of a domain stands. */
export type Standing = {
  /** Until when records that are missing are waited for; ms. */
  until: number
  /** Checks since that wait began. */
  tries: number
  /** Since when every check found the domain worse than it is said to be. */
  badSince: number | null
}

export type Verdict = {
  /** The row as it is after the check. */
  row: DomainRow
  /** When to look again; undefined where there is nothing to wait for. */
  next: { due: number; state: Standing } | undefined
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How long records are waited for after somebody asked for verification. */
export const WINDOW_MS = 3 * DAY

const STEPS = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR]

/** How long the key before the present one stays published: mail that it signed may wait in queues. */
const KEEP_KEY_MS = 7 * DAY

/** Nothing proved, proved, all in order. */
type Rank = 0 | 1 | 2

/** Judges what was found now. `taken`: another account holds the name and cannot be made to give it up. `randomUnit` is in [0, 1). */
export function judgeCheck(
  config: Context['config'],
  before: DomainRow,
  found: Readonly<Record<string, Finding>>,
  state: Standing,
  { now, taken, randomUnit }: { now: number; taken: boolean; randomUnit: number },
): Verdict {
  const told = taken ? { ...found, ownership: TAKEN } : found
  const row = moveKeys(before, told, now)
  const records = merge(readChecks(before)?.records ?? {}, told)
  const expectations = expectationsOf(config, row)
  const holds = row.verifiedAt !== null
  // A name is gained by what the DNS says now alone.
  const worst = rank(expectations, (key) => (holds ? records : told)[key]?.status === 'verified')
  const best = rank(expectations, (key) => told[key]?.status !== 'missing')
  const present = holds ? rankOf(row.status) : 0

  const worse = best < present
  const badSince = worst >= present ? null : worse ? (state.badSince ?? now) : state.badSince
  const fallen = worse && badSince !== null && now - badSince >= DAY
  const after = worst > present ? worst : fallen ? best : present
  const until = fallen ? now : state.until
  const open = now < until

  const status = statusOf(after, open)
  const checks: Checks = { at: now, records: pick(records, expectations) }
  const verifiedAt = row.verifiedAt ?? (after > 0 ? now : null)
  const standing = { until, tries: state.tries + 1, badSince: fallen ? null : badSince }
  const waits = after < 2 || readOtherKey(row)?.role === 'next'
  const goesOn = (waits && open) || verifiedAt !== null
  const pause = pauseOf(
    standing,
    waits && open,
    expectations.some(({ key }) => told[key]?.status === 'trouble'),
  )
  const due = now + spread(pause, randomUnit)
  return {
    row: { ...row, status, verifiedAt, checks: JSON.stringify(checks) },
    next: goesOn ? { due: waits && open ? Math.min(due, until) : due, state: standing } : undefined,
  }
}

/** The status that what is known of the DNS already means for a row whose settings were changed. */
export function restate(config: Context['config'], row: DomainRow): DomainStatus {
  const checks = readChecks(row)
  if (!checks || row.verifiedAt === null) return row.status
  const after = rank(expectationsOf(config, row), (key) => checks.records[key]?.status === 'verified')
  return after === rankOf(row.status) ? row.status : statusOf(after, true)
}

/** What is said of a claim that lost: not to whom. */
export const TAKEN: Finding = {
  status: 'missing',
  found: [],
  reason: 'another account of this service holds this domain',
}

/** Trouble says nothing about a record that was there before. */
function merge(before: Record<string, Finding>, found: Readonly<Record<string, Finding>>): Record<string, Finding> {
  const kept = Object.entries(found).map(([key, finding]) => {
    const known = before[key]
    return [key, finding.status === 'trouble' && known?.status === 'verified' ? known : finding] as const
  })
  return { ...before, ...Object.fromEntries(kept) }
}

function pick(records: Record<string, Finding>, expectations: readonly Expectation[]): Record<string, Finding> {
  return Object.fromEntries(expectations.flatMap(({ key }) => (records[key] ? [[key, records[key]]] : [])))
}

function rank(expectations: readonly Expectation[], isThere: (key: string) => boolean): Rank {
  const all = (need: Expectation['need']) => expectations.every((each) => each.need !== need || isThere(each.key))
  if (!all('proof')) return 0
  return all('service') ? 2 : 1
}

function rankOf(status: DomainStatus): Rank {
  if (status === 'verified') return 2
  return status === 'partially_verified' || status === 'partially_failed' ? 1 : 0
}

function statusOf(rank: Rank, open: boolean): DomainStatus {
  if (rank === 2) return 'verified'
  if (rank === 1) return open ? 'partially_verified' : 'partially_failed'
  return open ? 'pending' : 'failed'
}

/** Puts the next key in the place of the present one once its record is seen, and forgets the one before after its time. */
function moveKeys(row: DomainRow, found: Readonly<Record<string, Finding>>, now: number): DomainRow {
  const other = readOtherKey(row)
  if (other?.role === 'previous' && other.until <= now) return { ...row, otherKey: null }
  if (other?.role !== 'next' || found[`dkim:${other.selector}`]?.status !== 'verified') return row
  return switchKey(row, now)
}

/** The row with its next key signing, and the present one kept to be published a while longer. */
export function switchKey(row: DomainRow, now: number): DomainRow {
  const other = readOtherKey(row)
  if (other?.role !== 'next') return row
  const { dkimSelector: selector, dkimPublic: publicBase64 } = row
  return {
    ...row,
    dkimSelector: other.selector,
    dkimPublic: other.publicBase64,
    dkimPrivate: other.privateSealed,
    otherKey: JSON.stringify({ role: 'previous', selector, publicBase64, until: now + KEEP_KEY_MS }),
  }
}

/** Moved by up to a fifth, so that many domains are not looked up at once. */
function spread(pause: number, randomUnit: number): number {
  return Math.round(pause * (0.8 + 0.4 * randomUnit))
}

function pauseOf({ tries, badSince }: Standing, waits: boolean, trouble: boolean): number {
  const pause = waits ? (STEPS[tries - 1] ?? 4 * HOUR) : DAY
  return Math.min(pause, badSince === null ? DAY : 4 * HOUR, trouble ? HOUR : DAY)
}
