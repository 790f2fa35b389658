/**
 * How a relay is, and what was lately taken of what it allows: the JSON in its row. Written where something turns, and once a batch
 * where a limit is set; never once a mail. All of it is by one statement each, so that isolates cannot both take the last of anything.
 */
import { type SQL, sql } from 'drizzle-orm'
import { runBatch } from '../mail/change.ts'
import type { Stores } from '../stores.ts'

/** Times are ms since 1970. */
export type RelayHealth = {
  /** Since when it fails; absent while it works. */
  since?: number
  /** How often in a row it was found failing. */
  failures?: number
  /** Until then no mail is given to it; after that one batch tries. */
  retryAt?: number
  /** What it failed with last, kept after it has recovered. */
  error?: string
  errorAt?: number
  /** When it took mail, to within ten minutes. */
  okAt?: number
  /** The first time at which a further recipient may be handed over. */
  next?: number
}

/** What names a relay's row. */
export type RelayKey = { account: number; id: string }

/** Reads the column. */
export function asHealth(json: string | null): RelayHealth {
  return json === null ? {} : (JSON.parse(json) as RelayHealth)
}

/** Writes down that a relay fails; false where somebody else has written of it since it was read. */
export async function markFailing(
  stores: Stores,
  key: RelayKey,
  read: RelayHealth,
  failing: { now: number; retryAt: number; error: string },
): Promise<boolean> {
  const { now, retryAt, error } = failing
  const health = sql`json_set(${HEALTH}, '$.since', COALESCE(health ->> 'since', ${whole(now)}), '$.failures', ${whole((read.failures ?? 0) + 1)},
    '$.retryAt', ${whole(retryAt)}, '$.error', ${error}, '$.errorAt', ${whole(now)})`
  return changed(stores, key, health, sql`COALESCE(health ->> 'failures', 0) = ${read.failures ?? 0}`)
}

/** Takes the one trial that a failing relay gets when its time has come, so that not every isolate waits for a dead one. */
export async function claimTrial(stores: Stores, key: RelayKey, read: RelayHealth, until: number): Promise<boolean> {
  const health = sql`json_set(${HEALTH}, '$.retryAt', ${whole(until)})`
  return changed(stores, key, health, sql`health ->> 'retryAt' = ${read.retryAt ?? 0}`)
}

/** Writes down that it took mail; what it failed with last stays to be read. */
export async function markWorking(stores: Stores, key: RelayKey, now: number): Promise<boolean> {
  const health = sql`json_set(json_remove(${HEALTH}, '$.since', '$.failures', '$.retryAt'), '$.okAt', ${whole(now)})`
  return changed(stores, key, health, sql`1`)
}

/**
 * Reserves turns for so many recipients, `interval` ms apart, as many as come before `horizon`; where the first does, `least` at
 * least: they go together. Answers the first turn and how many there are; where there are none, `first` is when one would be.
 * Undefined where the relay is gone.
 */
export async function reserveTurns(
  stores: Stores,
  key: RelayKey,
  wanted: { now: number; count: number; least: number; interval: number; horizon: number },
): Promise<{ first: number; count: number } | undefined> {
  const { now, count, least, interval, horizon } = wanted
  const first = sql`MAX(COALESCE(health ->> 'next', 0), ${whole(now)})`
  const before = sql`CAST((${whole(horizon)} - ${first} + ${whole(interval)} - 1) / ${whole(interval)} AS INTEGER)`
  const granted = sql`CASE WHEN ${first} < ${whole(horizon)} THEN MAX(${whole(least)}, MIN(${whole(count)}, ${before})) ELSE 0 END`
  const [rows = []] = await runBatch(stores.directory, [
    sql`UPDATE relays SET health = json_set(${HEALTH}, '$.first', ${first}, '$.granted', ${granted},
      '$.next', ${first} + ${granted} * ${whole(interval)}) WHERE ${isRelay(key)}
      RETURNING health ->> 'first' AS first, health ->> 'granted' AS granted`,
  ])
  const [row] = rows
  return row && { first: Number(row.first), count: Number(row.granted) }
}

/**
 * Holds up to so many of a relay's connections until a time, under a name of the holder's; holding again under that name renews.
 * Answers how many are held: none where others hold all that it allows. What a dead invocation held lapses by itself.
 */
export async function holdConnections(
  stores: Stores,
  key: RelayKey,
  wanted: { holder: string; count: number; most: number; now: number; until: number },
): Promise<number> {
  const { holder, count, most, now, until } = wanted
  const others = sql`(SELECT json_group_object(key, json(value)) FROM json_each(COALESCE(health -> 'held', '{}'))
    WHERE key <> ${holder} AND value ->> 1 > ${whole(now)})`
  const taken = sql`(SELECT COALESCE(SUM(value ->> 0), 0) FROM json_each(COALESCE(health -> 'held', '{}'))
    WHERE key <> ${holder} AND value ->> 1 > ${whole(now)})`
  const granted = sql`CAST(MIN(${whole(count)}, ${whole(most)} - ${taken}) AS INTEGER)`
  const [rows = []] = await runBatch(stores.directory, [
    sql`UPDATE relays SET health = json_set(${HEALTH}, '$.held', json_patch(${others},
        json_object(${holder}, json_array(${granted}, ${whole(until)}))))
      WHERE ${isRelay(key)} AND ${taken} < ${most} RETURNING health -> 'held' -> ${`$."${holder}"`} ->> 0 AS granted`,
  ])
  return Number(rows[0]?.granted ?? 0)
}

/** Gives them back. */
export async function releaseConnections(stores: Stores, key: RelayKey, holder: string): Promise<void> {
  await changed(stores, key, sql`json_remove(${HEALTH}, ${`$.held."${holder}"`})`, sql`health IS NOT NULL`)
}

const HEALTH = sql`COALESCE(health, '{}')`

/** D1 binds numbers as REAL, which JSON would show with a fraction. */
function whole(number: number): SQL {
  return sql`CAST(${Math.round(number)} AS INTEGER)`
}

function isRelay({ account, id }: RelayKey): SQL {
  return sql`account = ${account} AND id = ${id}`
}

async function changed(stores: Stores, key: RelayKey, health: SQL, only: SQL): Promise<boolean> {
  const [rows = []] = await runBatch(stores.directory, [
    sql`UPDATE relays SET health = ${health} WHERE ${isRelay(key)} AND ${only} RETURNING 1`,
  ])
  return rows.length > 0
}
