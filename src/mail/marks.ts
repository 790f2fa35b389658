/** What kind of mail it is: from a list, automatic, signed, encrypted, an invitation. Told by its header and its parts alone. */
import type { Fields } from './mime/header.ts'
import { fieldMap } from './mime/header.ts'
import { allParts, isCalendar, type Part } from './mime/parts.ts'

/** How a list names itself (RFC 2919, RFC 2369), and how one leaves it. */
export type ListMark = {
  id?: string
  /** The address to post to. */
  post?: string
  /** Where to unsubscribe: https, http and mailto URIs, in the sender's order. */
  unsubscribe?: string[]
  /** One POST to the first https URI is enough (RFC 8058). */
  one_click?: true
}

export type Marks = {
  list?: ListMark
  /** RFC 3834; `bulk` where only Precedence says so. */
  auto?: 'auto-replied' | 'auto-generated' | 'bulk'
  signed?: 'smime' | 'pgp'
  encrypted?: 'smime' | 'pgp'
  invitation?: true
  /** A winmail.dat of Outlook's, which stays an attachment. */
  tnef?: true
}

/** Longer URIs are no addresses of anything; the marks stand in the message's row. */
const MAX_URI = 1000

/** Real mail has two, one of either scheme. */
const MAX_URIS = 4

/** RFC 5322 allows no longer line; what is longer names no list. */
const MAX_VALUE = 8 * 1024

/** Where the words of an inline PGP message begin; what comes later was pasted. */
const MAX_SCANNED = 64 * 1024

/** Fields that only answering programs write. */
const ANSWERING = ['x-autoreply', 'x-autorespond', 'x-autoreply-from', 'x-mail-autoreply', 'x-auto-reply']

/** The marks of a message; null where it bears none. */
export function marksOf({ root, headers, text }: { root: Part; headers: Fields; text?: string }): Marks | null {
  const fields = fieldMap(headers)
  const first = (name: string) => fields[name]?.[0]?.slice(0, MAX_VALUE).trim() ?? ''
  const parts = allParts(root)
  const { signed, encrypted } = protection(parts, text)
  const list = listOf(first)
  const auto = autoOf(first)
  const marks: Marks = {
    ...(list ? { list } : {}),
    ...(auto ? { auto } : {}),
    ...(signed ? { signed } : {}),
    ...(encrypted ? { encrypted } : {}),
    ...(parts.some(isCalendar) ? { invitation: true as const } : {}),
    ...(parts.some(isTnef) ? { tnef: true as const } : {}),
  }
  return Object.keys(marks).length > 0 ? marks : null
}

function listOf(first: (name: string) => string): ListMark | undefined {
  const id = /<([^<>\s]{1,255})>/.exec(first('list-id'))?.[1] ?? /^[^<>\s]{1,255}$/.exec(first('list-id'))?.[0]
  const post = urisOf(first('list-post')).find((uri) => uri.startsWith('mailto:'))
  const unsubscribe = urisOf(first('list-unsubscribe'))
  const oneClick =
    /^list-unsubscribe=one-click$/i.test(first('list-unsubscribe-post')) &&
    unsubscribe.some((uri) => uri.startsWith('https:'))
  if (!id && !post && unsubscribe.length === 0) return undefined
  return {
    ...(id ? { id } : {}),
    ...(post ? { post: post.slice('mailto:'.length) } : {}),
    ...(unsubscribe.length > 0 ? { unsubscribe } : {}),
    ...(oneClick ? { one_click: true as const } : {}),
  }
}

/** The URIs in angle brackets (RFC 2369 section 2), white space that folding left in them taken out; of no other schemes. */
function urisOf(value: string): string[] {
  const found: string[] = []
  for (let at = value.indexOf('<'); at >= 0 && found.length < MAX_URIS; at = value.indexOf('<', at + 1)) {
    const end = value.indexOf('>', at)
    if (end < 0) break
    const uri = value.slice(at + 1, end).replace(/\s/g, '')
    const known = /^(?:https?|mailto):[!-~]+$/i.test(uri) && uri.length <= MAX_URI
    if (known) found.push(uri.replace(/^[a-z]+/i, (scheme) => scheme.toLowerCase()))
    at = end
  }
  return found
}

function autoOf(first: (name: string) => string): Marks['auto'] {
  const submitted = first('auto-submitted').toLowerCase()
  if (submitted.startsWith('auto-replied')) return 'auto-replied'
  if (submitted.startsWith('auto-')) return 'auto-generated'
  if (ANSWERING.some((name) => first(name) !== '' && first(name).toLowerCase() !== 'no')) return 'auto-replied'
  const precedence = first('precedence').toLowerCase()
  if (precedence.startsWith('auto')) return 'auto-replied'
  return precedence === 'bulk' || precedence === 'junk' || precedence === 'list' ? 'bulk' : undefined
}

type Protection = Pick<Marks, 'signed' | 'encrypted'>

/** What the parts are protected by; signatures are not checked and nothing is decrypted. */
function protection(parts: readonly Part[], text = ''): Protection {
  const found: Protection = {}
  for (const { type, protocol = '' } of parts) {
    const named = protocol.toLowerCase()
    if (type === 'multipart/signed') found.signed ??= named.includes('pgp') ? 'pgp' : 'smime'
    if (type === 'multipart/encrypted') found.encrypted ??= 'pgp'
    if (!/^application\/(?:x-)?pkcs7-mime$/.test(type)) continue
    // RFC 8551 section 3.2.2; what says nothing is opaque to us, as what is encrypted.
    if (named === 'signed-data') found.signed ??= 'smime'
    else if (named !== 'certs-only' && named !== 'compressed-data') found.encrypted ??= 'smime'
  }
  const scanned = text.slice(0, MAX_SCANNED)
  if (opensLine(scanned, '-----BEGIN PGP SIGNED MESSAGE-----')) found.signed ??= 'pgp'
  if (opensLine(scanned, '-----BEGIN PGP MESSAGE-----')) found.encrypted ??= 'pgp'
  return found
}

function opensLine(text: string, words: string): boolean {
  return text.startsWith(words) || text.includes(`\n${words}`)
}

function isTnef({ type, filename }: Part): boolean {
  return /^application\/(?:vnd\.)?ms-tnef$/.test(type) || filename?.toLowerCase() === 'winmail.dat'
}
