/** What every verb is given: who asks, and what may be reached. Nothing below a face takes anything from elsewhere. */

import { toBase32 } from './base/bytes.ts'
import { uuidv7 } from './base/id.ts'
import type { Log } from './base/log.ts'
import type { Keyring } from './base/seal.ts'
import type { Config } from './config.ts'
import type { KeyLimits } from './store/directory/keys.ts'
import type { AccountRef, Stores } from './store/stores.ts'

/** What may be reached. The sweep and the queues act with this alone. */
export type Context = {
  readonly config: Config
  readonly stores: Stores
  readonly keyring: Keyring
  readonly log: Log
  /** Told in answers and logs, so that the two can be brought together. */
  readonly requestId: string
  /** ms since 1970. */
  now(): number
  /** Unguessable bytes. */
  random(length: number): Uint8Array<ArrayBuffer>
  /** Lets work go on after the answer; its failure is logged and harms nobody, because a row shows what is owed. */
  later(work: Promise<unknown>): void
  readonly wake: Wake
  readonly net: Net
}

/** A context in which somebody acts for an account. */
export type Caller = Context & { readonly account: AccountRef; readonly access: Access; readonly notes?: Notes }

/** What a verb notes for the face to tell beside its answer. */
export type Notes = {
  /** The limit of the day's sends, the account's or the key's, of which less is left. */
  sends?: { readonly limit: number; readonly left: number }
}

/** What the key that was shown may do. */
export type Access = {
  /** The key's id; 'operator' for the operator's. */
  readonly key: string
  readonly scopes: ReadonlySet<string>
  /** The one domain (by id) that the key may send from, where it is bound to one. */
  readonly domainId?: string
  /** What the key is limited to beyond its scopes. */
  readonly limits?: KeyLimits
}

/** Wake-ups carry keys only and may be lost: the sweep finds what they would have told. */
export type Wake = {
  /** There are sent messages with a delivery due. */
  relay(account: AccountRef, messages: string[]): void
  /** The account has events that an endpoint may be waiting for, or will have a try due after so many seconds. */
  webhooks(account: AccountRef, delaySeconds?: number): void
  /** There are tasks of the account that are due at once. */
  owed(account: AccountRef): void
}

/** The network, as far as it may be reached. */
export type Net = {
  /** Opens a TCP connection; it has no timer of its own. */
  connect(to: { host: string; port: number; security: 'implicit' | 'starttls' | 'none' }): Promise<Socket>
  /** Calls a URL that a tenant named, under the guard: no private target, no redirect, capped in time and size. */
  fetch(request: GuardedRequest): Promise<GuardedAnswer>
  /** Throws a Problem where the guard would refuse the host, whatever the port or scheme. */
  checkHost(host: string): Promise<void>
  /** Asks the DNS, aliases followed, answers of before not used again. */
  resolve(name: string, type: 'TXT' | 'MX'): Promise<Records>
  /** Gives a mail for one recipient to the platform's own service; absent where that is not bound. Rejects where nobody knows whether it was taken. */
  sendEmail?(mail: { from: string; to: string; raw: Uint8Array }): Promise<EmailAnswer>
}

/** `taken`: under this id, by which the service tells later what became of it. `refused`: by one of its documented codes, so surely not taken. */
export type EmailAnswer = { kind: 'taken'; id: string } | { kind: 'refused'; code: string; message: string }

/** TXT: each record's strings joined. MX: `10 mx.example.com`, the host in lower case. `trouble`: nobody who knows answered. */
export type Records = { kind: 'records'; values: string[] } | { kind: 'none' } | { kind: 'trouble'; reason: string }

/** A TCP connection as a byte pipe (src/smtp/pipe.ts takes it as it is). */
export type Socket = {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
  startTls?(): Socket
  close(): Promise<void>
}

export type GuardedRequest = {
  url: string
  method: 'GET' | 'POST'
  headers: Record<string, string>
  body?: string
  timeoutMs: number
  maxBytes: number
}

/** `refused`: the guard did not let it pass. `failed`: nothing answered in time. */
export type GuardedAnswer =
  | { kind: 'answered'; status: number; headers: Headers; body: Uint8Array }
  | { kind: 'refused'; reason: string }
  | { kind: 'failed'; reason: string; timeout: boolean }

/** A new id; ids sort by the time they were made. */
export function newId(ctx: Pick<Context, 'now' | 'random'>): string {
  return uuidv7(ctx.now(), ctx.random(10))
}

/** A short unguessable word: 80 bits in base32. */
export function newToken(ctx: Pick<Context, 'random'>): string {
  return toBase32(ctx.random(10))
}
