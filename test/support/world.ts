/** A context for tests in workerd: real stores, a clock and chance that are ours, a network that is scripted. */
import { sql } from 'drizzle-orm'
import { uuidv7 } from '../../src/base/id.ts'
import { makeKeyring, seal } from '../../src/base/seal.ts'
import { type Config, readConfig } from '../../src/config.ts'
import type { Caller, Context, Net } from '../../src/context.ts'
import { ACCOUNT_SCOPES } from '../../src/contract/route.ts'
import { findAccountRow, insertAccount, refOf } from '../../src/store/directory/accounts.ts'
import { runBatch } from '../../src/store/mail/change.ts'
import { type AccountRef, openStores } from '../../src/store/stores.ts'
import { newTally, type Tally } from '../../src/store/tally.ts'
import { env } from './env.ts'
import { type Faults, faultyBucket, faultyDatabase } from './faults.ts'

export type World = {
  ctx: Context
  /** What the context has cost so far. */
  tally: Tally
  /** Moves the clock. */
  pass(ms: number): void
  /** What would have been woken, in order. */
  woken: { what: 'relay' | 'webhooks' | 'owed'; account: string; messages?: string[] }[]
  /** Waits for all that was left for later. */
  idle(): Promise<void>
}

/** The clock of every world begins here. */
export const START = Date.UTC(2026, 10, 23, 12)

export async function makeWorld(
  given: {
    net?: Partial<Net>
    config?: Partial<Config>
    faults?: Faults
    searchFaults?: Faults
    /** Further mail databases, each under faults of its own. */
    shards?: Record<'MAIL_2' | 'MAIL_3', Faults>
  } = {},
): Promise<World> {
  let now = START
  let drawn = 0
  const woken: World['woken'] = []
  const pending: Promise<unknown>[] = []
  const tally = newTally()
  const config = { ...readConfig({ ...env, LOCAL: 'true' }), ...given.config }
  const search = given.searchFaults ? faultyDatabase(env.SEARCH, given.searchFaults) : env.SEARCH
  const shards = given.shards && {
    MAIL_2: faultyDatabase(env.MAIL_2, given.shards.MAIL_2),
    MAIL_3: faultyDatabase(env.MAIL_3, given.shards.MAIL_3),
  }
  const refuse = async () => {
    throw new Error('this test has no network')
  }
  const ctx: Context = {
    config,
    stores: given.faults
      ? openStores(
          { DB: faultyDatabase(env.DB, given.faults), SEARCH: search, ...shards },
          faultyBucket(env.RAW, given.faults),
          tally,
        )
      : openStores({ DB: env.DB, SEARCH: search, ...shards }, env.RAW, tally),
    keyring: await makeKeyring(config.SECRET),
    log: () => {},
    requestId: 'test',
    now: () => now,
    random: (length) => {
      // Different every time, the same in every run: a counter spread over the bytes by a hash-like mix.
      const bytes = new Uint8Array(length)
      let word = ++drawn * 0x9e3779b1
      for (let at = 0; at < length; at++) {
        word = Math.imul(word ^ (word >>> 15), 0x85ebca6b) + at
        bytes[at] = word >>> 24
      }
      return bytes
    },
    later: (work) => void pending.push(work),
    wake: {
      relay: (account, messages) => void woken.push({ what: 'relay', account: account.id, messages }),
      webhooks: (account) => void woken.push({ what: 'webhooks', account: account.id }),
      owed: (account) => void woken.push({ what: 'owed', account: account.id }),
    },
    net: { connect: refuse, fetch: refuse, checkHost: async () => {}, resolve: refuse, ...given.net },
  }
  return {
    ctx,
    tally,
    woken,
    pass: (ms) => {
      now += ms
    },
    idle: async () => void (await Promise.all(pending)),
  }
}

/** Boxes of every account, in the order of their numbers. */
const BOXES = ['Inbox', 'Sent', 'Drafts', 'Archive', 'Junk', 'Trash']

/** An account with a verified domain, an address on it and all scopes. Names are unique, so tests of one file do not meet. */
export async function makeAccount(
  world: World,
  domain = `d${counter++}.test`,
  mailDb = 'DB',
): Promise<Caller & { domain: string; address: string }> {
  const { ctx } = world
  const id = uuidv7(ctx.now(), crypto.getRandomValues(new Uint8Array(10)))
  await insertAccount(ctx.stores, {
    id,
    name: 'Test',
    addressLimit: null,
    storageBytes: null,
    sendsPerDay: null,
    mailDb,
    now: ctx.now(),
    key: { id, hash: id, name: 'first', permission: 'full_access', scopes: ACCOUNT_SCOPES },
    mailboxes: BOXES.map((name, at) => ({
      id: uuidv7(ctx.now() + at, crypto.getRandomValues(new Uint8Array(10))),
      name,
      role: name.toLowerCase(),
    })),
  })
  const row = await findAccountRow(ctx.stores, id)
  if (!row) throw new Error('the account was not made')
  const account = refOf(row)
  const address = `hello@${domain}`
  await addDomain(world, account, domain)
  await addAddress(world, account, address)
  return { ...ctx, account, access: { key: id, scopes: new Set(ACCOUNT_SCOPES) }, domain, address }
}

/** A verified domain with a DKIM key made for this run. */
export async function addDomain(world: World, account: AccountRef, name: string): Promise<void> {
  const { ctx } = world
  const id = crypto.randomUUID()
  const pem = await testKeyPem()
  const sealed = await seal(
    ctx.keyring,
    `domains:${account.number}:${id}`,
    pem,
    crypto.getRandomValues(new Uint8Array(12)),
  )
  await runBatch(ctx.stores.directory, [
    sql`INSERT INTO domains (account, id, name, status, token, dkim_selector, dkim_private, dkim_public,
        return_path_label, settings, created_at, verified_at)
      VALUES (${account.number}, ${id}, ${name}, 'verified', 'token', 'pochta', ${sealed}, '', 'send', '{}', ${ctx.now()}, ${ctx.now()})`,
  ])
}

/** An address that takes mail; `*@domain` is the wildcard. */
export async function addAddress(
  world: World,
  account: AccountRef,
  address: string,
  expiresAt?: number,
): Promise<void> {
  const domain = address.slice(address.lastIndexOf('@') + 1)
  await runBatch(world.ctx.stores.directory, [
    sql`INSERT INTO addresses (address, id, account, domain, forward_to, expires_at, created_at)
      VALUES (${address}, ${crypto.randomUUID()}, ${account.number}, ${domain}, '[]', ${expiresAt ?? null}, ${world.ctx.now()})`,
  ])
}

let counter = 1
let pem: Promise<string> | undefined

function testKeyPem(): Promise<string> {
  pem ??= (async () => {
    const kind = {
      name: 'RSASSA-PKCS1-v1_5',
      modulusLength: 2048,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: 'SHA-256',
    }
    const pair = await crypto.subtle.generateKey(kind, true, ['sign', 'verify'])
    if (!('privateKey' in pair)) throw new Error('a pair was asked for')
    const der = await crypto.subtle.exportKey('pkcs8', pair.privateKey)
    if (!(der instanceof ArrayBuffer)) throw new Error('DER was asked for')
    const base64 = btoa(String.fromCharCode(...new Uint8Array(der)))
    return `-----BEGIN PRIVATE KEY-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
  })()
  return pem
}
