/** Accounts: the owners of mailboxes, addresses and keys. */
import { notFound, Problem } from '../base/problem.ts'
import { sha256Hex } from '../base/seal.ts'
import { type Context, newId } from '../context.ts'
import type { ListQuery } from '../contract/common.ts'
import type { AccountPatch, NewAccountBody } from '../contract/directory/accounts.ts'
import { isoTime } from '../record/email-event.ts'
import { NEW_RETENTION, retentionOf } from '../record/retention.ts'
import {
  type AccountRow,
  findAccountRow,
  findAccountRowByNumber,
  findUsage,
  insertAccount,
  listAccountRows,
  patchAccount as patchRow,
  refOf,
} from '../store/directory/accounts.ts'
import type { Once } from '../store/idempotency.ts'
import { MAILBOXES } from '../store/mail/shapes.ts'
import { beingMoved } from '../store/settle.ts'
import { leastLoaded } from '../store/shards/opening.ts'
import { type AccountRef, INSTANCE } from '../store/stores.ts'
import { forgetKeysOf } from './access.ts'
import { createOnce } from './create.ts'
import { newKeyToken } from './keys.ts'
import { listPage } from './list.ts'
import { EVERY_SCOPE } from './scopes.ts'

/** What the operator acts for who names no account: what belongs to the instance. */
export const instanceAccount: AccountRef = INSTANCE

/** The account with this id, if it is open. @throws Problem not_found; service_unavailable while it is being moved. */
export async function findAccount(ctx: Context, id: string): Promise<AccountRef> {
  return refOf(mustBeOpen(await findRow(ctx, id)))
}

/** The account with this number, if it is open: what a proof of our own names it by. @throws Problem service_unavailable while it is being moved. */
export async function findAccountByNumber(ctx: Context, number: number): Promise<AccountRef | undefined> {
  const row = await findAccountRowByNumber(ctx.stores, number)
  if (!row || row.state === 'closing') return undefined
  return refOf(mustBeOpen(row))
}

/** Makes an account with its first key, whose token is shown here and never again. */
export async function createAccount(ctx: Context, body: NewAccountBody, once?: Once) {
  return createOnce(ctx, INSTANCE.number, once, async () => {
    const id = newId(ctx)
    const key = { id: newId(ctx), token: newKeyToken(ctx) }
    const now = ctx.now()
    const account = {
      id,
      name: body.name,
      addressLimit: body.quota?.addresses ?? null,
      storageBytes: body.quota?.storage_bytes ?? null,
      sendsPerDay: body.quota?.sends_per_day ?? null,
      settings: settingsOf(body),
      // Nothing can be over its time sooner.
      retentionDue: now + 86_400_000,
      mailDb: await placeFor(ctx, body.database),
      now,
      key: {
        id: key.id,
        hash: await sha256Hex(key.token),
        name: 'First key',
        permission: 'full_access',
        scopes: [EVERY_SCOPE],
      },
      mailboxes: MAILBOXES.map(({ name, role }) => ({ id: newId(ctx), name, role })),
    }
    return {
      answer: { ...show({ ...account, createdAt: now, state: 'active' }), api_key: key },
      insert: (keeping) => insertAccount(ctx.stores, account, keeping),
      exists: async () => (await findAccountRow(ctx.stores, id)) !== undefined,
      refusal: async () => new Problem('service_unavailable', 'The account was not made.', { retryAfter: 1 }),
    }
  })
}

/** The database that was asked for, else the one with the fewest accounts. */
async function placeFor(ctx: Context, wanted: string | undefined): Promise<string> {
  if (wanted === undefined) return leastLoaded(ctx.stores)
  if (!ctx.stores.mail.has(wanted)) throw noSuchDatabase(ctx, 'database', wanted)
  return wanted
}

/** The refusal of a database that is not bound, with those that are. */
export function noSuchDatabase(ctx: Context, path: string, wanted: string): Problem {
  const reason = `no mail database is bound as ${JSON.stringify(wanted)}`
  return new Problem('validation_error', `Invalid \`${path}\`: ${reason}.`, {
    fields: [{ path, reason }],
    fix: `There are: ${[...ctx.stores.mail.keys()].sort().join(', ')}.`,
  })
}

export async function listAccounts(ctx: Context, query: ListQuery) {
  return listPage(query, (page) => listAccountRows(ctx.stores, page), show)
}

/** One account with what it uses of its quota. @throws Problem not_found. */
export async function getAccount(ctx: Context, id: string) {
  return showWithUsage(ctx, await findRow(ctx, id))
}

/** Renames an account, changes its quota or how long its mail is kept. @throws Problem not_found; service_unavailable while it is being moved. */
export async function patchAccount(ctx: Context, id: string, patch: AccountPatch) {
  const { name, quota = {}, retention } = patch
  const row = await patchRow(ctx.stores, id, {
    ...(name === undefined ? {} : { name }),
    ...(quota.addresses === undefined ? {} : { addressLimit: quota.addresses }),
    ...(quota.storage_bytes === undefined ? {} : { storageBytes: quota.storage_bytes }),
    ...(quota.sends_per_day === undefined ? {} : { sendsPerDay: quota.sends_per_day }),
    ...(quota.requests_per_second === undefined && !retention
      ? {}
      : {
          settings: {
            ...(quota.requests_per_second === undefined ? {} : { requests_per_second: quota.requests_per_second }),
            ...(retention ? { retention } : {}),
          },
        }),
    ...(retention ? { retentionDue: ctx.now() } : {}),
  })
  if (!row) {
    mustBeOpen(await findRow(ctx, id))
    throw notFound('Account')
  }
  forgetKeysOf(row.number)
  return showWithUsage(ctx, row)
}

async function findRow(ctx: Context, id: string): Promise<AccountRow> {
  const row = await findAccountRow(ctx.stores, id)
  if (!row || row.state === 'closing') throw notFound('Account')
  return row
}

function mustBeOpen(row: AccountRow): AccountRow {
  if (row.state !== 'active') throw beingMoved()
  return row
}

type Shown = Pick<
  AccountRow,
  'id' | 'name' | 'createdAt' | 'storageBytes' | 'sendsPerDay' | 'addressLimit' | 'settings' | 'state' | 'mailDb'
>

function show(row: Shown) {
  return {
    object: 'account' as const,
    id: row.id,
    name: row.name,
    created_at: isoTime(row.createdAt),
    state: row.state === 'closing' ? ('active' as const) : row.state,
    database: row.mailDb,
    quota: {
      storage_bytes: row.storageBytes,
      sends_per_day: row.sendsPerDay,
      addresses: row.addressLimit,
      requests_per_second: rateOf(row.settings),
    },
    retention: retentionOf(row.settings),
  }
}

/** What is null stands for nothing, and is left out. */
function settingsOf({ quota, retention }: NewAccountBody): string {
  const rate = quota?.requests_per_second
  const kept = Object.entries({ ...NEW_RETENTION, ...retention }).filter(([, days]) => days !== null)
  return JSON.stringify({
    ...(typeof rate === 'number' ? { requests_per_second: rate } : {}),
    retention: Object.fromEntries(kept),
  })
}

function rateOf(settings: string | null): number | null {
  const rate: unknown = Reflect.get(Object(JSON.parse(settings ?? '{}')), 'requests_per_second')
  return typeof rate === 'number' ? rate : null
}

async function showWithUsage(ctx: Context, row: AccountRow) {
  const usage = await findUsage(ctx.stores, refOf(row), ctx.now())
  // Without counters it is being removed as we look.
  if (!usage) throw notFound('Account')
  return {
    ...show(row),
    usage: {
      messages: usage.messages,
      storage_bytes: usage.bytes,
      sends_today: usage.sendsToday,
      addresses: usage.addresses,
    },
  }
}
