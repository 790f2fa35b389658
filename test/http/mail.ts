/** An account made over the API, and mail brought in and sent through its doors. */
import { call, operator } from '../support/api.ts'

export type Mailer = { account: string; key: string; domain: string; address: string }

let made = 0

/** An account with a domain and an address of its own. */
export async function makeMailer(): Promise<Mailer> {
  const domain = `m${++made}-${crypto.randomUUID().slice(0, 8)}.test`
  const account = await json(call('POST', '/accounts', { key: operator, body: { name: domain } }))
  const key = String(Reflect.get(Object(account.api_key), 'token'))
  await json(call('POST', '/domains', { key, body: { name: domain } }))
  const address = `hello@${domain}`
  await json(call('POST', '/addresses', { key, body: { address } }))
  return { account: String(account.id), key, domain, address }
}

/** Brings a mail in; answers its id. */
export async function bring(to: string, mime: string): Promise<string> {
  const path = `/inbound?from=ann@far.test&to=${encodeURIComponent(to)}`
  const headers = { 'content-type': 'message/rfc822' }
  return String((await json(call('POST', path, { key: operator, body: mime, headers }))).id)
}

/** The JSON object of a good answer; a refusal fails the test with its text. */
export async function json(answer: Promise<Response>): Promise<Record<string, unknown>> {
  const response = await answer
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${text}`)
  return JSON.parse(text)
}
