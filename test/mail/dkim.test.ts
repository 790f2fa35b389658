import { dkimVerify } from 'mailauth/lib/dkim/verify'
import { expect, test } from 'vitest'
import { concat, latin1, utf8 } from '../../src/base/bytes.ts'
import { parseMailbox } from '../../src/mail/address.ts'
import { compose, type Draft } from '../../src/mail/compose.ts'
import { dkimRecord, makeDkimKeys, signDkim } from '../../src/mail/dkim.ts'
import { scanOutgoing } from '../../src/mail/ready.ts'

const keys = await makeDkimKeys()
const signer = { domain: 'x.example', selector: 's1', privatePem: keys.privatePem }
const NOW = Date.UTC(2026, 10, 23, 20, 8, 17)

const crlf = (text: string) => utf8(text.replace(/\r?\n/g, '\r\n'))
const HEADER =
  'From: Ann <ann@x.example>\nTo: bob@y.example\nSubject: Hello\nDate: Mon, 23 Nov 2026 20:08:17 +0000\nMessage-ID: <id@x.example>\n'

/** What an independent verifier says, with our record in its DNS. */
async function verdict(bytes: Uint8Array): Promise<string> {
  const resolver = async (name: string, type: string) => {
    if (name === 's1._domainkey.x.example' && type === 'TXT') return [[dkimRecord(keys.publicBase64)]]
    throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
  }
  const { results } = await dkimVerify(Buffer.from(bytes), { resolver })
  return results.map((each) => `${each.signingDomain} ${each.status.result}`).join()
}

async function composed(over: Partial<Draft>): Promise<Uint8Array> {
  const from = parseMailbox('Ann <ann@x.example>')
  if (!from) throw new Error('the mailbox must parse')
  const base = { to: [from], cc: [], replyTo: [from], headers: [], attachments: [], date: NOW, boundary: 'b' }
  return compose({ from, subject: 'Hello', messageId: '<id@x.example>', ...base, ...over })
}

const signable: Record<string, () => Uint8Array | Promise<Uint8Array>> = {
  simple: () => crlf(`${HEADER}\nHi\n`),
  'dots at line starts': () => crlf(`${HEADER}\n.\n..\n.hidden\n`),
  'blank lines at the end': () => crlf(`${HEADER}\nHi\n\n\n \n\t\n\n`),
  'an empty body': () => crlf(`${HEADER}\n`),
  'a body of blank lines': () => crlf(`${HEADER}\n\n\n`),
  'no line break at the end': () => crlf(`${HEADER}\nHi`),
  'white space in runs': () => crlf(`${HEADER}X-A:  a \n\t b  \nCc:\n c@y.example\n\n a  b\t c \n`),
  'a body of 8-bit bytes': () => Uint8Array.from([...crlf(`${HEADER}\n`), 0xe9, 0xff, 0x80, 0x00, 13, 10]),
  'a header of UTF-8': () => crlf(`${HEADER.replace('Hello', 'Été\u00a0 \u2003лето')}\nété\n`),
  'a header of Latin-1': () => Uint8Array.from([...utf8('Cc: '), 0xe9, 0xa0, ...crlf(` <c@y.example>\n${HEADER}\n`)]),
  'fields that stand twice': () => crlf(`Subject: z\n${HEADER}To: c@y.example\nX-A: 1\nX-A: 2\n\nHi\n`),
  'only a From': () => crlf('From: ann@x.example\n\nHi\n'),
  'a long subject': () => composed({ subject: 'Очень длинная тема '.repeat(40), text: 'x' }),
  'parts and attachments': () =>
    composed({
      text: 'été\n'.repeat(50),
      html: '<p>été</p>',
      headers: [
        ['List-Unsubscribe', '<https://x.example/u>'],
        ['List-Unsubscribe-Post', 'List-Unsubscribe=One-Click'],
      ],
      attachments: [{ filename: 'a.bin', content: Uint8Array.from({ length: 200_000 }, (_, at) => (at * 7) & 255) }],
    }),
}

for (const [what, make] of Object.entries(signable)) {
  test(`an independent verifier accepts the signature of ${what}`, async () => {
    const bytes = await make()
    const signed = await signDkim(bytes, signer, NOW)
    expect(latin1(signed).endsWith(latin1(bytes))).toBe(true)
    expect(scanOutgoing(signed.subarray(0, signed.length - bytes.length)).longestLine).toBeLessThanOrEqual(78)
    expect(await verdict(signed)).toBe('x.example pass')
  })
}

test('any byte of what is signed, changed, breaks the signature', async () => {
  const signed = await signDkim(crlf(`${HEADER}MIME-Version: 1.0\nList-Unsubscribe: <u>\n\nHi there\n`), signer, NOW)
  const start = latin1(signed).indexOf('From:')
  for (let at = 0; at < signed.length; at++) {
    const byte = signed[at] ?? 0
    // The case of a field's name, and white space, are not signed (relaxed); line ends would move the header's end.
    const inName = at >= start && /^[A-Za-z-]*:/.test(latin1(signed.subarray(at, at + 30))) && byte !== 0x3a
    // The last character of base64 before its padding has bits to spare.
    const spare = at < start && at >= start - 5
    if (byte <= 32 || inName || spare) continue
    const changed = Uint8Array.from(signed)
    changed[at] = byte === 0x7e ? 0x21 : byte + 1
    if (latin1(changed.subarray(at, at + 1)) === ' ') continue
    expect(await verdict(changed), `${at}: ${latin1(signed.subarray(at, at + 10))}`).not.toBe('x.example pass')
  }
})

test('a second From, To, Cc, Subject or Date put in on the way breaks the signature', async () => {
  const signed = await signDkim(crlf(`${HEADER}\nHi\n`), signer, NOW)
  for (const line of [
    'From: z@z.example',
    'To: z@z.example',
    'Cc: z@z.example',
    'Subject: z',
    'Date: Mon, 23 Nov 2026 20:08:18 +0000',
  ]) {
    expect(await verdict(concat([crlf(`${line}\n`), signed])), line).toBe('x.example fail')
  }
  expect(await verdict(concat([crlf('Received: from z by z\n'), signed]))).toBe('x.example pass')
})

test('what a reader sees or a program acts on is signed', async () => {
  const names =
    'Sender Reply-To Cc In-Reply-To References MIME-Version Content-Type Content-Transfer-Encoding Content-Disposition Content-ID List-Id List-Unsubscribe List-Unsubscribe-Post Auto-Submitted'
  const lines = names.split(' ').map((name) => `${name}: value\n`)
  const signed = latin1(await signDkim(crlf(`${HEADER}${lines.join('')}X-Mine: value\n\nHi\n`), signer, NOW))
  for (const name of names.split(' ')) {
    const changed = signed.replace(`\r\n${name}: value`, `\r\n${name}: other`)
    expect(await verdict(utf8(changed)), name).toBe('x.example fail')
  }
  expect(await verdict(utf8(signed.replace('X-Mine: value', 'X-Mine: other')))).toBe('x.example pass')
})

test('the same bytes at the same time get the same signature', async () => {
  const bytes = crlf(`${HEADER}\nHi\n`)
  const signed = latin1(await signDkim(bytes, signer, NOW))
  expect(latin1(await signDkim(bytes, signer, NOW + 999 - (NOW % 1000)))).toBe(signed)
  expect(signed).toMatch(
    /^DKIM-Signature: v=1; a=rsa-sha256; c=relaxed\/relaxed; d=x\.example; s=s1;\r\n t=1795464497;\r\n/,
  )
})

test('bytes that the next hop would change are not signed', async () => {
  await expect(signDkim(utf8(`${HEADER}\nHi\n`), signer, NOW)).rejects.toThrow(RangeError)
  await expect(
    signDkim(
      crlf(`${HEADER}\nHi`.replace('Hi', 'a\rb')).map((byte) => byte),
      signer,
      NOW,
    ),
  ).rejects.toThrow('CRLF')
  await expect(signDkim(crlf(HEADER), signer, NOW)).rejects.toThrow('not whole')
  await expect(signDkim(crlf(`odd line\n${HEADER}\n`), signer, NOW)).rejects.toThrow('not whole')
})

test('a key pair is RSA of 2048 bits, and its record fits DNS in two strings', () => {
  expect(keys.privatePem).toMatch(/^-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+\n-----END PRIVATE KEY-----\n$/)
  expect(keys.publicBase64).toMatch(/^MIIBIjAN/)
  expect(dkimRecord(keys.publicBase64)).toMatch(/^v=DKIM1; k=rsa; p=MII[A-Za-z0-9+/]+={0,2}$/)
  expect(dkimRecord(keys.publicBase64).length).toBeLessThan(510)
})
