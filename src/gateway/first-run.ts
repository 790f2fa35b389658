/** What a fresh copy gets: an account, a domain, an address and keys, all made over REST, each once. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Answer, type Api, type Call, member, textMember } from './api.ts'
import { type Home, readJson, writeSecretly } from './home.ts'
import { StartTrouble } from './trouble.ts'

export const DOMAIN = 'demo.test'
export const ADDRESS = `hello@${DOMAIN}`

export type Provisions = { account: string; domain: string; address: string; apiKey: string; gatewayKey: string }

/** Storage may be busy right after the start; five tries in as many seconds, and then it is broken. */
const TRIES = 5
const TIMEOUT = 15_000

/**
 * Makes what is missing; whatever was made by a run that died on the way is kept.
 * @throws StartTrouble with what the API says.
 */
export async function provision(api: Api, adminKey: string, home: Home): Promise<Provisions> {
  const made = new Progress(join(home.folder, 'first-run.json'))
  const call = (method: string, path: string, more: Partial<Call> = {}) =>
    steadily(api, method, path, { key: adminKey, ...more })

  const known = made.get('account')
  // State that was thrown away took the account along, and all that hung on it.
  if (known && (await call('GET', `/accounts/${known}`)).status === 404) made.clear()

  if (!made.get('account')) {
    const body = await create(call, made, '/accounts', { name: 'Demo' })
    made.set({ account: textMember(body, 'id'), api_key: textMember(member(body, 'api_key'), 'token') })
  }
  const account = made.need('account')
  if (!made.get('domain')) {
    await create(call, made, '/domains', { name: DOMAIN }, account)
    made.set({ domain: DOMAIN })
  }
  if (!made.get('address')) {
    await create(call, made, '/addresses', { address: ADDRESS }, account)
    made.set({ address: ADDRESS })
  }
  const gatewayKey = made.get('gateway_key')
  // A key that was deleted is not given out again by the same Idempotency-Key.
  if (gatewayKey && !(await opens(call, gatewayKey))) made.renew('gateway_key')
  if (!made.get('gateway_key')) {
    const body = await create(call, made, '/api-keys', { name: 'gateway', permission: 'inbound:write' })
    made.set({ gateway_key: textMember(body, 'token') })
  }
  return {
    account,
    domain: made.need('domain'),
    address: made.need('address'),
    apiKey: made.need('api_key'),
    gatewayKey: made.need('gateway_key'),
  }
}

type Caller = (method: string, path: string, more?: Partial<Call>) => Promise<Answer>

/** A repeated POST of the same run makes nothing twice, because it goes under the same Idempotency-Key. */
async function create(call: Caller, made: Progress, path: string, json: unknown, account?: string): Promise<unknown> {
  const { status, body } = await call('POST', path, { json, account, once: `${made.run}${path}` })
  if (status === 200 || status === 201) return body
  throw new StartTrouble(`The first run could not do POST ${path}: ${status} ${textMember(body, 'message') ?? ''}`)
}

/** Whether the gateway's key still opens its door; whose address is asked about does not matter. */
async function opens(call: Caller, key: string): Promise<boolean> {
  const { status } = await call('GET', `/inbound/recipient?to=${encodeURIComponent(ADDRESS)}`, { key })
  return status !== 401 && status !== 403
}

async function steadily(api: Api, method: string, path: string, call: Partial<Call>): Promise<Answer> {
  for (let tried = 1; ; tried++) {
    const answer = await api(method, path, { timeout: TIMEOUT, ...call }).catch(() => undefined)
    if (answer && answer.status < 500) return answer
    if (tried === TRIES) {
      const says = answer ? `${answer.status} ${textMember(answer.body, 'message') ?? ''}` : 'no answer'
      throw new StartTrouble(`The first run could not do ${method} ${path}: ${says}`)
    }
    await wait(1000)
  }
}

/** What was made so far, in a file of its own: written after each step. */
class Progress {
  readonly #path: string
  #made: Record<string, unknown>

  constructor(path: string) {
    this.#path = path
    this.#made = readJson(path)
    if (!this.get('run')) this.clear()
  }

  /** Names this attempt to set up, in every Idempotency-Key of it. */
  get run(): string {
    return this.need('run')
  }

  get(name: string): string | undefined {
    const value = this.#made[name]
    return typeof value === 'string' ? value : undefined
  }

  /** @throws StartTrouble where the API's answer lacked it. */
  need(name: string): string {
    const value = this.get(name)
    if (value === undefined) throw new StartTrouble(`The first run got no ${name} from the API.`)
    return value
  }

  set(made: Record<string, string | undefined>): void {
    Object.assign(this.#made, made)
    writeSecretly(this.#path, `${JSON.stringify(this.#made, null, 2)}\n`)
  }

  clear(): void {
    this.#made = {}
    this.set({ run: randomUUID() })
  }

  /** Forgets one thing, and from here on a POST is a new one. */
  renew(name: string): void {
    this.set({ [name]: undefined, run: randomUUID() })
  }
}
