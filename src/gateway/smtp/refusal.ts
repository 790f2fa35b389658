/** How the gateway says no: a reply code, an enhanced status code and a text (RFC 5321 section 4.2, RFC 3463). */

/** Thrown or passed to the SMTP library, which answers `responseCode` and the message, status code first. */
export class Refusal extends Error {
  readonly responseCode: number

  constructor(code: number, status: string, text: string) {
    super(`${status} ${ascii(text)}`)
    this.name = 'Refusal'
    this.responseCode = code
  }
}

/** RFC 5321 section 4.2 has replies in ASCII, and a client may be none that takes more (RFC 6531); a rule's own reason may be in any script. */
function ascii(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[‘’]/g, "'")
    .replace(/[“”]/g, '"')
    .replace(/[^\x20-\x7e]/gu, '?')
}

/** Whether a reply's text opens with an enhanced status code of its own. */
export function opensWithStatus(text: string): boolean {
  return /^[245]\.\d{1,3}\.\d{1,3} /.test(text)
}

/** Any trouble that is not the sender's fault: the mail is to be offered again (RFC 5321 section 4.2.1). */
export function tryAgain(text = 'storage is not answering, try again'): Refusal {
  return new Refusal(451, '4.3.0', text)
}
