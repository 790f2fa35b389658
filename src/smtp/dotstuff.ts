/** A message's bytes as DATA carries them: CRLF line ends, doubled dots, the final dot. On bytes, in one pass, over any chunks. */
import { concat } from '../base/bytes.ts'

const CR = 13
const LF = 10
const DOT = 46

export class DotStuffer {
  private opensLine = true
  private afterCr = false
  private readonly doubles: boolean

  constructor(doubles = true) {
    this.doubles = doubles
  }

  /**
   * The next bytes for the wire. Every bare CR and bare LF becomes CR LF *before* dots are doubled: else what follows it
   * would not be the start of a line here, but might be one there (SMTP smuggling; RFC 5321 sections 2.3.8, 4.1.1.4, 4.5.2).
   */
  push(chunk: Uint8Array): Uint8Array {
    // No byte becomes more than two.
    const out = new Uint8Array(chunk.length * 2)
    let length = 0
    for (const byte of chunk) {
      if (byte === CR || byte === LF) {
        // A CR has brought its LF along already, so that one which ends a chunk needs no memory of more than this flag.
        if (byte === CR || !this.afterCr) {
          out[length++] = CR
          out[length++] = LF
        }
      } else {
        if (byte === DOT && this.opensLine && this.doubles) out[length++] = DOT
        out[length++] = byte
      }
      this.afterCr = byte === CR
      this.opensLine = byte === CR || byte === LF
    }
    return out.subarray(0, length)
  }

  /** What ends the data: CR LF where the last line had none, and the dot. */
  end(): Uint8Array {
    return Uint8Array.from(this.opensLine ? [DOT, CR, LF] : [CR, LF, DOT, CR, LF])
  }
}

/** The bytes as BDAT carries them (RFC 3030): CRLF line ends as with DATA, and no dot means anything. */
export function withCrlf(bytes: Uint8Array): Uint8Array {
  const stuffer = new DotStuffer(false)
  const out = stuffer.push(bytes)
  return concat([out, stuffer.end().slice(0, -3)])
}
