/** Charset labels as mail writes them, to decoders; nothing here throws, whatever the label or the bytes. */
import { decodeWords } from 'postal-mime'

/** A decoder and, where the label named none that we have, `known: false`: the text then is a guess. */
export type Charset = { decoder: TextDecoder; known: boolean }

// Labels of real mail that the Encoding Standard does not list, without their prefixes and separators.
const ALIASES = new Map([
  ['utf8', 'utf-8'],
  ['unicode11utf8', 'utf-8'],
  ['shiftjis', 'shift_jis'],
  ['windows31j', 'shift_jis'],
  ['mskanji', 'shift_jis'],
  ['eucjp', 'euc-jp'],
  ['iso2022jp', 'iso-2022-jp'],
  ['iso2022jp1', 'iso-2022-jp'],
  ['iso2022jp2', 'iso-2022-jp'],
  ['euckr', 'euc-kr'],
  ['uhc', 'euc-kr'],
  ['iso88598i', 'iso-8859-8-i'],
  ['iso88598e', 'iso-8859-8'],
  ['tis620', 'windows-874'],
])

const CODE_PAGES = new Map([
  ['932', 'shift_jis'],
  ['936', 'gbk'],
  ['949', 'euc-kr'],
  ['950', 'big5'],
  ['874', 'windows-874'],
  ['51932', 'euc-jp'],
  ['50220', 'iso-2022-jp'],
  ['50221', 'iso-2022-jp'],
  ['50222', 'iso-2022-jp'],
  ['65001', 'utf-8'],
])

/** The longest name in the Encoding Standard has 19 characters; a longer label is noise, not worth a lookup. */
const MAX_LABEL = 40

/**
 * The decoder for a charset label; no label means UTF-8, which includes the US-ASCII that RFC 2045 section 5.2 assumes.
 * QUIRK: an unknown label reads as windows-1252, and so does UTF-7, which no runtime decodes (it hides markup from filters).
 */
export function charsetOf(label: string | undefined): Charset {
  const wanted = label?.trim().toLowerCase() ?? ''
  if (wanted === '') return { decoder: new TextDecoder('utf-8'), known: true }
  const decoder = wanted.length <= MAX_LABEL ? (tryLabel(wanted) ?? tryLabel(alias(wanted))) : undefined
  if (decoder) return { decoder, known: true }
  return { decoder: tryLabel('windows-1252') ?? new TextDecoder('utf-8'), known: false }
}

/** The text of bytes that name no charset, as in raw 8-bit headers: UTF-8 (RFC 6532) where it is valid, else windows-1252. */
export function decodeUnlabelled(bytes: Uint8Array): string {
  try {
    // The mark of order stays: were it dropped, a header name behind one would become a name that counts.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return charsetOf('windows-1252').decoder.decode(bytes)
  }
}

/** Encoded words (RFC 2047) as text; where the library should fail on them, they stay as they are. */
export function decodeEncodedWords(text: string): string {
  try {
    return decodeWords(text)
  } catch {
    return text
  }
}

function tryLabel(label: string): TextDecoder | undefined {
  try {
    return new TextDecoder(label)
  } catch {
    return undefined
  }
}

function alias(label: string): string {
  const bare = label.replace(/^(?:x-ms-|x-|cs)/, '').replace(/[\s._-]/g, '')
  const page = /^(?:cp|windows|ms|ibm)(\d{1,5})$/.exec(bare)?.[1]
  return (page && (CODE_PAGES.get(page) ?? `windows-${page}`)) || ALIASES.get(bare) || label.replace(/^x-/, '')
}
