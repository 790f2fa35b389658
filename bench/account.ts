/** Who the mail is for and from: an account with a verified domain and one address, made as any operator would make it. */
import { randomBytes } from 'node:crypto'
import type { Call, Caller } from './load.ts'

/** What the Worker that is measured is started with. */
export const SECRETS = { ADMIN_KEY: randomBytes(24).toString('hex'), SECRET: randomBytes(24).toString('hex') }

export type Account = { id: string; address: string; key: string }

/** Makes an account with the domain and the address hello@domain. A local copy takes domains for verified. */
export async function makeAccount(caller: Caller, domain: string): Promise<Account> {
  const made = await post(caller, '/accounts', { name: 'Benchmark' }, { authorization: `Bearer ${SECRETS.ADMIN_KEY}` })
  const id = text(made, 'id')
  const key = text(Reflect.get(Object(made), 'api_key'), 'token')
  const asAccount = { authorization: `Bearer ${key}` }
  const address = `hello@${domain}`
  await post(caller, '/domains', { name: domain }, asAccount)
  await post(caller, '/addresses', { address }, asAccount)
  return { id, address, key }
}

/** Gives the account rules that all have to be asked, for none of them matches. */
export async function makeRules(caller: Caller, { key }: Account, count: number): Promise<void> {
  const texts = ['unsubscribe from this', 'wire transfer', 'act now'].map((value) => ({
    field: 'text',
    op: 'contains',
    value,
  }))
  const others = ['from', 'subject', 'header:x-spam-status'].map((field) => ({
    field,
    op: 'ends_with',
    value: '@nobody.test',
  }))
  for (let at = 0; at < count; at++) {
    const conditions = [...texts, ...others].map((condition) => ({ ...condition, value: `${condition.value} ${at}` }))
    const rule = { name: `Rule ${at}`, match: 'any', conditions, actions: [{ keyword: `k${at}` }] }
    await post(caller, '/rules', rule, { authorization: `Bearer ${key}` })
  }
}

/** A key of the instance, with which mail is brought in. */
export async function makeInboundKey(caller: Caller): Promise<string> {
  const body = { name: 'Benchmark', permission: 'inbound:write' }
  return text(await post(caller, '/api-keys', body, { authorization: `Bearer ${SECRETS.ADMIN_KEY}` }), 'token')
}

export function inbound(key: string, to: string, body: Buffer): Call {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'message/rfc822' }
  return { method: 'POST', path: `/inbound?from=orders@shop.example&to=${encodeURIComponent(to)}`, headers, body }
}

export function sending({ key }: Account, body: Buffer): Call {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  return { method: 'POST', path: '/emails', headers, body }
}

export function reading({ key }: Account, path: string): Call {
  return { method: 'GET', path, headers: { authorization: `Bearer ${key}` } }
}

async function post(caller: Caller, path: string, body: unknown, who: Record<string, string>): Promise<unknown> {
  const headers = { ...who, 'content-type': 'application/json' }
  return JSON.parse(
    (await caller.call({ method: 'POST', path, headers, body: Buffer.from(JSON.stringify(body)) })).body,
  )
}

function text(from: unknown, name: string): string {
  const value: unknown = Reflect.get(Object(from), name)
  if (typeof value !== 'string') throw new Error(`the answer has no ${name}`)
  return value
}
