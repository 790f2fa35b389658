/** Accounts: the owners of mailboxes, addresses and keys. */
import { notFound } from '../base/problem.ts'
import type { Context } from '../context.ts'
import { findAccountRow, findAccountRowByNumber, refOf } from '../store/directory/accounts.ts'
import type { AccountRef } from '../store/stores.ts'

/** The account with this id, if it is active. @throws Problem not_found. */
export async function findAccount(ctx: Context, id: string): Promise<AccountRef> {
  const row = await findAccountRow(ctx.stores, id)
  if (row?.state !== 'active') throw notFound('Account')
  return refOf(row)
}

/** The active account with this number; undefined where there is none. */
export async function findAccountByNumber(ctx: Context, number: number): Promise<AccountRef | undefined> {
  const row = await findAccountRowByNumber(ctx.stores, number)
  return row?.state === 'active' ? refOf(row) : undefined
}
