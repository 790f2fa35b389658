/**
 * Of a certificate (RFC 5280 section 4.1) as much as a signature's check needs: its public key, and when it is valid.
 * Who issued it is not looked at: whoever calls this trusts the place that the certificate was fetched from.
 */
import { fromBase64, latin1 } from './bytes.ts'

export type Certificate = {
  /** SubjectPublicKeyInfo in DER, as WebCrypto imports it. */
  publicKey: Uint8Array<ArrayBuffer>
  /** ms since 1970, both inclusive. */
  notBefore: number
  notAfter: number
}

const SEQUENCE = 0x30
const VERSION = 0xa0
const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18

/** Reads the first certificate of a PEM text (RFC 7468); undefined where there is none that can be read. */
export function readCertificate(pem: string): Certificate | undefined {
  const start = pem.indexOf(BEGIN)
  const end = pem.indexOf(END, start)
  if (start < 0 || end < 0) return undefined
  try {
    return readDer(fromBase64(pem.slice(start + BEGIN.length, end).replace(/\s+/g, '')))
  } catch {
    return undefined
  }
}

const BEGIN = '-----BEGIN CERTIFICATE-----'
const END = '-----END CERTIFICATE-----'

function readDer(der: Uint8Array): Certificate {
  const certificate = childrenOf(elementAt(der, 0), SEQUENCE)
  const fields = childrenOf(certificate[0], SEQUENCE)
  // The version stands in front only where it is not the first.
  const [, , , validity, , publicKey] = fields[0]?.tag === VERSION ? fields.slice(1) : fields
  if (publicKey?.tag !== SEQUENCE) throw new RangeError('no public key')
  const [notBefore, notAfter] = childrenOf(validity, SEQUENCE).map(timeOf)
  if (notBefore === undefined || notAfter === undefined) throw new RangeError('no validity')
  return { publicKey: Uint8Array.from(publicKey.whole), notBefore, notAfter }
}

type Element = { tag: number; content: Uint8Array; whole: Uint8Array }

function elementAt(bytes: Uint8Array, at: number): Element {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined) throw new RangeError('the certificate is cut off')
  const more = first < 0x80 ? 0 : first & 0x7f
  // Four octets of length are more than any certificate has; 0x80 alone is not DER.
  if (first >= 0x80 && (more === 0 || more > 4)) throw new RangeError('a length that is none')
  const digits = bytes.subarray(at + 2, at + 2 + more)
  const length = more === 0 ? first : digits.reduce((sum, digit) => sum * 256 + digit, 0)
  const start = at + 2 + more
  if (digits.length < more || start + length > bytes.length) throw new RangeError('the certificate is cut off')
  return { tag, content: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length) }
}

function childrenOf(parent: Element | undefined, tag: number): Element[] {
  if (parent?.tag !== tag) throw new RangeError('not what was expected here')
  const children: Element[] = []
  for (let at = 0; at < parent.content.length; ) {
    const child = elementAt(parent.content, at)
    children.push(child)
    at += child.whole.length
  }
  return children
}

/** YYMMDDHHMMSSZ, the years 1950 to 2049, or YYYYMMDDHHMMSSZ (RFC 5280 section 4.1.2.5). */
function timeOf({ tag, content }: Element): number {
  const text = latin1(content)
  const century = tag === UTC_TIME ? (text < '50' ? '20' : '19') : ''
  if (tag !== UTC_TIME && tag !== GENERALIZED_TIME) throw new RangeError('no time')
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text) ?? []
  if (!second) throw new RangeError('no time')
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
}
