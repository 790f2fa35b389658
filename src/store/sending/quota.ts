/** What is left of the day's sends. Asked where nothing is counted: for a preview, and for why mail was refused. */
import { sql } from 'drizzle-orm'
import { type KeySends, leftOf, mostOfKey, type Row, type SendsLeft, sentByKey } from '../mail/change.ts'
import { type AccountRef, mailOf, type Stores } from '../stores.ts'

/** Of the account's limit and of the key's; each is absent where there is no limit. */
export async function findSendsLeft(
  stores: Stores,
  account: AccountRef,
  { now, keySends }: { now: number; keySends?: KeySends | undefined },
): Promise<{ account?: SendsLeft; key?: SendsLeft }> {
  const day = Math.floor(now / 86_400_000)
  const ofKey = keySends ? sql`${mostOfKey(keySends, day)} - ${sentByKey(keySends.key, day)}` : sql`0`
  const [row] = await mailOf(stores, account).all<Row>(
    sql`SELECT sends_per_day, CASE WHEN day = ${day} THEN sent ELSE 0 END AS sent, ${ofKey} AS key_left
      FROM counters WHERE account = ${account.number}`,
  )
  const perDay = row?.sends_per_day ?? null
  return {
    ...(perDay === null ? {} : { account: leftOf(Number(perDay), Number(row?.sent)) }),
    ...(keySends ? { key: { limit: keySends.perDay, left: Math.max(0, Number(row?.key_left ?? 0)) } } : {}),
  }
}
