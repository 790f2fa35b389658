/** Which mail is never answered by a program, and which is never sent on: or two programs would write to each other for ever. */
import { parseAddress } from '../mail/address.ts'
import { FORWARDED } from '../mail/forwarded.ts'
import { fieldMap } from '../mail/mime/header.ts'
import type { ReadMessage } from '../mail/mime/read.ts'
import { isAutoReply } from '../mail/returned/auto-reply.ts'

/** No honest way is so long (RFC 5321 section 6.3 would allow a hundred). */
const MAX_HOPS = 25

/** Nobody reads what is sent there (RFC 3834 section 2, RFC 2142 and custom). */
const MACHINES =
  /^(?:mailer-daemon|postmaster|owner-.*|.*-owner|.*-request|.*-bounces?|bounces?|no-?reply|do-?not-?reply|nobody|root|majordomo|listserv|mdaemon)$/

type Fields = Readonly<Record<string, readonly string[]>>

/** Whether mail of this sender and header may be answered (RFC 3834 section 2). */
export function mayBeAnswered(from: string, read: Pick<ReadMessage, 'headers' | 'subject' | 'from'>): boolean {
  const sender = parseAddress(from)
  if (!sender || isMachine(sender.local)) return false
  const author = parseAddress(read.from?.address ?? '')
  if (author && isMachine(author.local)) return false
  const fields = fieldMap(read.headers)
  const first = (name: string) => fields[name]?.[0]?.trim().toLowerCase() ?? ''
  const submitted = first('auto-submitted')
  if (submitted !== '' && !/^no\b/.test(submitted)) return false
  if (Object.keys(fields).some((name) => name.startsWith('list-'))) return false
  if (/^(?:bulk|list|junk|auto)/.test(first('precedence'))) return false
  // Outlook's and Exchange's word for it: DR, RN, NRN, OOF, AutoReply, All.
  if (/\b(?:all|oof|autoreply)\b/.test(first('x-auto-response-suppress'))) return false
  if (fields['x-loop'] || fields[FORWARDED] || first('content-type').startsWith('multipart/report')) return false
  return !isAutoReply(fields, read.subject ?? '')
}

/** Whether a mail has come so far, or been here before, that it is sent no further. */
export function isLooping(read: Pick<ReadMessage, 'headers'>, addresses: readonly string[]): boolean {
  const fields: Fields = fieldMap(read.headers)
  if ((fields.received?.length ?? 0) > MAX_HOPS) return true
  const before = (fields[FORWARDED] ?? []).map((value) => value.trim().toLowerCase())
  return addresses.some((address) => before.includes(address.toLowerCase()))
}

function isMachine(local: string): boolean {
  // A tag may be the name of a list; the mark of a machine stands before it.
  return MACHINES.test(local.toLowerCase().slice(0, 64).split('+')[0] ?? '')
}
