/** The mail that is measured with: what people send, in three sizes, each time with a Message-ID of its own. */
import { randomBytes, randomUUID } from 'node:crypto'

const KIB = 1024

const WORDS =
  'the order left our warehouse this morning and should be with you on Thursday if nothing holds it up on its way'

/** About 6 KB: text and HTML beside each other, as most mail is. */
export function ordinaryMail(to: string): Buffer {
  return mail(to, [part('text/plain; charset=utf-8', prose(1.8 * KIB)), part('text/html; charset=utf-8', html())])
}

/** A mail of about so many bytes, nearly all of them one attachment. */
export function largeMail(to: string): (bytes: number) => Buffer {
  return (bytes) => {
    const attached = attachment(bytes - 6 * KIB)
    return mail(to, [part('text/plain; charset=utf-8', prose(2 * KIB)), attached])
  }
}

/** The same content as `ordinaryMail` has, as a client of the REST API gives it. */
export function ordinaryJson(from: string, to: string): Buffer {
  return Buffer.from(JSON.stringify({ from, to: [to], subject: 'Your order', text: prose(1.8 * KIB), html: html() }))
}

const BOUNDARY = '----=_part_7f3a'

function mail(to: string, parts: string[]): Buffer {
  const type = parts.some((one) => one.includes('attachment')) ? 'mixed' : 'alternative'
  const head = [
    'Received: from mx.shop.example (mx.shop.example [192.0.2.7]) by mx.example.net with ESMTPS id 4XyZ12; Mon, 23 Nov 2026 12:00:00 +0000',
    'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.example; s=s1; h=from:to:subject:date:message-id;',
    `\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=${'A'.repeat(340)}`,
    'From: "The Shop" <orders@shop.example>',
    `To: <${to}>`,
    'Subject: =?utf-8?Q?Your_order_has_shipped_=E2=9C=93?=',
    'Date: Mon, 23 Nov 2026 12:00:00 +0000',
    `Message-ID: <${randomUUID()}@shop.example>`,
    'List-Unsubscribe: <https://shop.example/unsubscribe>',
    'MIME-Version: 1.0',
    `Content-Type: multipart/${type}; boundary="${BOUNDARY}"`,
  ]
  const body = parts.map((one) => `--${BOUNDARY}\r\n${one}\r\n`).join('')
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}--${BOUNDARY}--\r\n`)
}

function part(type: string, text: string): string {
  return `Content-Type: ${type}\r\nContent-Transfer-Encoding: 7bit\r\n\r\n${text}`
}

function attachment(encodedBytes: number): string {
  // 57 bytes make one line of 76 letters and a line break.
  const lines = Math.ceil(encodedBytes / 78)
  const base64 = randomBytes(lines * 57).toString('base64')
  const head = 'Content-Type: application/pdf; name="invoice.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
  const disposition = 'Content-Disposition: attachment; filename="invoice.pdf"\r\n'
  return `${head}${disposition}\r\n${base64.replace(/.{76}/g, '$&\r\n')}`
}

function prose(bytes: number): string {
  return `${WORDS}.\r\n`.repeat(Math.ceil(bytes / (WORDS.length + 3)))
}

function html(): string {
  const row = `<tr><td style="padding:8px 0;font:14px/20px sans-serif">${WORDS}</td></tr>\r\n`
  return `<!doctype html><html><body><table width="600">\r\n${row.repeat(19)}</table></body></html>`
}
