/** What the server offers in its EHLO reply (RFC 5321 section 4.1.1.1). */
import type { ReplyLines } from './reply.ts'

export type Extensions = {
  /** RFC 2920. */
  pipelining: boolean
  /** BDAT, RFC 3030. */
  chunking: boolean
  /** 8BITMIME, RFC 6152. */
  eightBit: boolean
  /** SMTPUTF8, RFC 6531. */
  utf8: boolean
  /** RFC 3461. */
  dsn: boolean
  starttls: boolean
  /** SIZE is offered (RFC 1870), and SIZE= may be said. */
  size: boolean
  /** The largest message it takes, in octets, where it names one. */
  sizeLimit?: number
  /** SASL mechanisms, in upper case. */
  auth: string[]
}

/** What a server that knows only HELO offers. */
export const NO_EXTENSIONS: Extensions = {
  pipelining: false,
  chunking: false,
  eightBit: false,
  utf8: false,
  dsn: false,
  starttls: false,
  size: false,
  auth: [],
}

export function readExtensions({ lines }: ReplyLines): Extensions {
  // QUIRK: old servers write `AUTH=PLAIN LOGIN` (draft-myers-smtp-auth); it means the same.
  const offers = lines.slice(1).map((line) =>
    line
      .toUpperCase()
      .replace(/^AUTH=/, 'AUTH ')
      .trim()
      .split(/ +/),
  )
  const offer = (keyword: string) => offers.find(([name]) => name === keyword)
  const limit = offer('SIZE')?.[1] ?? ''
  return {
    pipelining: offer('PIPELINING') !== undefined,
    chunking: offer('CHUNKING') !== undefined,
    eightBit: offer('8BITMIME') !== undefined,
    utf8: offer('SMTPUTF8') !== undefined,
    dsn: offer('DSN') !== undefined,
    starttls: offer('STARTTLS') !== undefined,
    size: offer('SIZE') !== undefined,
    // Zero means that there is no fixed limit (RFC 1870 section 4).
    ...(/^[0-9]{1,15}$/.test(limit) && Number(limit) > 0 ? { sizeLimit: Number(limit) } : {}),
    auth: [...new Set(offers.filter(([name]) => name === 'AUTH').flatMap(([, ...mechanisms]) => mechanisms))],
  }
}
