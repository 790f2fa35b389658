/** Hands a mail to the API for one recipient, and puts what the API says in SMTP's words. */
import { type Answer, type Api, textMember } from '../api.ts'
import { plain } from '../tell.ts'
import { Refusal, tryAgain } from './refusal.ts'

/** `later` and `refused` carry the reply that the client would get, were this the only recipient. */
export type Outcome = { kind: 'stored'; note: string } | { kind: 'later' | 'refused'; refusal: Refusal }

/** 25 MiB within a machine take a second; RFC 5321 section 4.5.3.2.6 has the client wait ten minutes for all recipients. */
const STORE_TIMEOUT = 120_000

/** `mail` is the trace and the bytes; `from` is empty for the null path. Never throws. */
export async function bringIn(api: Api, key: string, mail: Blob, envelope: Envelope): Promise<Outcome> {
  const query = new URLSearchParams({ from: envelope.from, to: envelope.to })
  const answer = await api('POST', `/inbound?${query}`, { key, mail, timeout: STORE_TIMEOUT }).catch(() => undefined)
  if (!answer) return { kind: 'later', refusal: tryAgain() }
  if (answer.status === 200 || answer.status === 201) return { kind: 'stored', note: storedNote(answer.body) }
  return refusedBy(answer, envelope.to)
}

/** What an answer that is no success means to the client that named this recipient. */
export function refusedBy(answer: Answer, to: string): { kind: 'later' | 'refused'; refusal: Refusal } {
  const says = plain(textMember(answer.body, 'message') ?? '')
  const refused = PERMANENT[answer.status]
  if (!refused) return { kind: 'later', refusal: tryAgain(says || undefined) }
  const [code, status, text] = refused
  return { kind: 'refused', refusal: new Refusal(code, status, `<${to}>: ${says || text}`) }
}

export type Envelope = { from: string; to: string }

/** What can never be stored. Whatever else the API answers may be trouble of ours, and the sender keeps the mail. */
const PERMANENT: Record<number, [number, string, string] | undefined> = {
  404: [550, '5.1.1', 'no such address here'],
  411: [552, '5.3.4', 'the mail is too large'],
  413: [552, '5.3.4', 'the mail is too large'],
  422: [554, '5.7.1', 'the mail is refused'],
}

function storedNote(body: unknown): string {
  return JSON.stringify(body)?.includes('"duplicate":true') ? 'stored before' : 'stored'
}
