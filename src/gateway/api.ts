/** The REST API as the gateway uses it: as any customer would, with a key and over HTTP. */

/** An answer that came, whatever it says. `body` is undefined where it was no JSON. */
export type Answer = { status: number; body: unknown }

export type Call = {
  /** The key to call with: the operator's, the instance's or an account's. */
  key?: string
  /** The account for which the operator acts. */
  account?: string
  /** Under this key a repeated POST makes nothing twice. */
  once?: string
  /** Sent as JSON. */
  json?: unknown
  /** Sent as message/rfc822, streamed, with its length. */
  mail?: Blob
  /** Milliseconds after which the call is given up. */
  timeout: number
}

export type Api = (method: string, path: string, call: Call) => Promise<Answer>

/** An answer is a few kilobytes; what is longer is not of our API. */
const MAX_ANSWER_BYTES = 1024 * 1024

/** The API at a base URL without a slash at its end. A call throws where no answer comes in time. */
export function openApi(base: string): Api {
  return async (method, path, call) => {
    const answer = await fetch(base + path, {
      method,
      headers: headersOf(call),
      body: call.mail ?? (call.json === undefined ? undefined : JSON.stringify(call.json)),
      redirect: 'error',
      signal: AbortSignal.timeout(call.timeout),
    })
    return { status: answer.status, body: parse(await textOf(answer)) }
  }
}

/** The text member of an answer's body, such as `id` or `message`. */
export function textMember(body: unknown, name: string): string | undefined {
  const value = member(body, name)
  return typeof value === 'string' ? value : undefined
}

/** A member of an answer's body; undefined where the body has none of that name. */
export function member(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? Object.getOwnPropertyDescriptor(body, name)?.value : undefined
}

function headersOf(call: Call): Record<string, string> {
  const headers: Record<string, string> = {}
  if (call.key) headers.authorization = `Bearer ${call.key}`
  if (call.account) headers['x-account'] = call.account
  if (call.once) headers['idempotency-key'] = call.once
  if (call.json !== undefined) headers['content-type'] = 'application/json'
  if (call.mail) headers['content-type'] = 'message/rfc822'
  return headers
}

async function textOf(answer: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > MAX_ANSWER_BYTES) throw new Error('the answer is too long to be of our API')
  }
  return text
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
