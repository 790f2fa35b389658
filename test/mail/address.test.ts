import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  addressKey,
  formatMailbox,
  parseAddress,
  parseMailbox,
  parseMailboxList,
  splitTag,
} from '../../src/mail/address.ts'

const spelled = (text: string) => parseAddress(text)?.address
const mailbox = (text: string) => {
  const read = parseMailbox(text)
  return read && [read.name, read.address.address]
}

test('an address has one canonical form, which is the one used', () => {
  expect(parseAddress('Ann.Lee+x@Mail.EXAMPLE')).toEqual({
    local: 'Ann.Lee+x',
    domain: 'mail.example',
    address: 'Ann.Lee+x@mail.example',
    utf8: false,
  })
  expect(spelled('"ann"@c.example')).toBe('ann@c.example')
  expect(spelled('"a\\nn"@c.example')).toBe('ann@c.example')
  expect(spelled('"a b"@c.example')).toBe('"a b"@c.example')
  expect(spelled('"a\\"\\\\b"@c.example')).toBe('"a\\"\\\\b"@c.example')
  expect(spelled('"a..b"@c.example')).toBe('"a..b"@c.example')
})

test('an at sign inside quotes does not choose the domain', () => {
  expect(parseAddress('"a@b"@c.example')).toMatchObject({ local: '"a@b"', domain: 'c.example' })
  expect(spelled('a@b@c.example')).toBeUndefined()
  expect(spelled('"a"@b"@c.example')).toBeUndefined()
  expect(spelled('"a@b.example')).toBeUndefined()
  expect(spelled('"a"xc.example')).toBeUndefined()
  expect(spelled('"a"b@c.example')).toBeUndefined()
})

test('what could end or extend a protocol line is refused', () => {
  for (const bad of [
    '\r',
    '\n',
    '\0',
    '\t',
    ' ',
    '\x7f',
    '\u0085',
    '\u2028',
    '\u202e',
    '\u00a0',
    '<',
    '>',
    ',',
    '(c)',
  ]) {
    expect(spelled(`a${bad}b@c.example`), JSON.stringify(bad)).toBeUndefined()
    expect(spelled(`a@c${bad}.example`), JSON.stringify(bad)).toBeUndefined()
    expect(spelled(`a@c.example${bad}`), JSON.stringify(bad)).toBeUndefined()
  }
  for (const bad of ['\r', '\n', '\0', '\t', '\u2028', '\ud800']) expect(spelled(`"a${bad}"@c.example`)).toBeUndefined()
  for (const bad of ['@x.example:a@c.example', '<a@c.example>', 'a@', '@c.example', '', '@', 'a', 'a@c.example.']) {
    expect(spelled(bad), bad).toBeUndefined()
  }
})

test('domains are labels of letters, digits and hyphens, in A-labels whatever they were written in', () => {
  expect(spelled('a@bücher.example')).toBe('a@xn--bcher-kva.example')
  expect(spelled('a@BÜCHER。example')).toBe('a@xn--bcher-kva.example')
  expect(spelled('a@почта.рф')).toBe('a@xn--80a1acny.xn--p1ai')
  expect(spelled('a@localhost')).toBe('a@localhost')
  for (const bad of [
    'a_b.example',
    '-a.example',
    'a-.example',
    'a..example',
    '.example',
    '127.0.0.1',
    '0x7f',
    '１２７.０.０.１',
    'a:25',
    'ü:25',
    'ü/x',
    'ü%41.example',
    'ü／x.example',
    'ü＠x.example',
    'ü_.example',
    'ü#',
    `${'a'.repeat(64)}.example`,
    '[192.0.2.1]',
  ]) {
    expect(spelled(`a@${bad}`), bad).toBeUndefined()
  }
})

test('a local part outside ASCII is taken and marked', () => {
  expect(parseAddress('чай@c.example')).toMatchObject({ local: 'чай', utf8: true })
  expect(parseAddress('a@bücher.example')?.utf8).toBe(false)
})

test('lengths are counted in octets of the form on the wire', () => {
  const domain = `${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}`
  expect(spelled(`${'a'.repeat(64)}@c.example`)).toBeDefined()
  expect(spelled(`${'a'.repeat(65)}@c.example`)).toBeUndefined()
  expect(spelled(`${'я'.repeat(32)}@c.example`)).toBeDefined()
  expect(spelled(`${'я'.repeat(33)}@c.example`)).toBeUndefined()
  expect(spelled(`${'a'.repeat(64)}@${domain}.abcdef`)).toHaveLength(254)
  expect(spelled(`${'a'.repeat(64)}@${domain}.abcdefg`)).toBeUndefined()
})

test('address literals are read only by who asks for them', () => {
  expect(parseAddress('a@[192.0.2.1]', { literals: true })?.domain).toBe('[192.0.2.1]')
  expect(parseAddress('a@[ipv6:2001:DB8::1]', { literals: true })?.domain).toBe('[IPv6:2001:db8::1]')
  for (const bad of [
    '[192.0.2.256]',
    '[192.0.2]',
    '[x]',
    '[IPv6:1::2::3]',
    '[IPv6:]',
    '[192.0.2.1',
    '192.0.2.1]',
    '[0192.0.2.1]',
    '[IPv6:::1]]',
  ]) {
    expect(parseAddress(`a@${bad}`, { literals: true }), bad).toBeUndefined()
  }
})

test('a mailbox is an address, with or without a name', () => {
  expect(mailbox('a@c.example')).toEqual([undefined, 'a@c.example'])
  expect(mailbox(' <a@c.example> ')).toEqual([undefined, 'a@c.example'])
  expect(mailbox('Ann Lee <a@c.example>')).toEqual(['Ann Lee', 'a@c.example'])
  expect(mailbox('Acme, Inc.<a@c.example>')).toEqual(['Acme, Inc.', 'a@c.example'])
  expect(mailbox('"Lee, \\"Ann\\" <x@y>" <a@c.example>')).toEqual(['Lee, "Ann" <x@y>', 'a@c.example'])
  expect(mailbox('=?utf-8?q?Caf=C3=A9?= <a@c.example>')).toEqual(['=?utf-8?q?Caf=C3=A9?=', 'a@c.example'])
  expect(mailbox('Почта <"a>b"@c.example>')).toEqual(['Почта', '"a>b"@c.example'])
  expect(mailbox('"a<b"@c.example')).toEqual([undefined, '"a<b"@c.example'])
})

test('no text that hides a second address or a line break is a mailbox', () => {
  for (const bad of [
    'a@c.example, b@c.example',
    'a@c.example, B <b@c.example>',
    'A <a@c.example>, B <b@c.example>',
    '"A" x <a@c.example>',
    'A <a@c.example> x',
    'A a@c.example>',
    '"A <a@c.example>',
    'A\r\nBcc: x@y <a@c.example>',
    'a@c.example\n',
    '\0<a@c.example>',
    'A\ud800 <a@c.example>',
    '',
    '<>',
    '>',
    'A <>',
    `${'n'.repeat(600)} <a@c.example>`,
  ]) {
    expect(mailbox(bad), JSON.stringify(bad)).toBeUndefined()
  }
})

test('what is written as a mailbox is read as the same mailbox', () => {
  const address = parseAddress('"a b"@c.example')
  if (!address) throw new Error('the address must parse')
  for (const name of ['Ann Lee', 'Lee, Ann', 'a "b" \\ c', 'Почта', ' x ', 'a@b, c', 'x <y>', 'Mr. (X): y;']) {
    expect(parseMailbox(formatMailbox({ name, address }))).toEqual({ name, address })
  }
  expect(formatMailbox({ address })).toBe('"a b"@c.example')
  expect(formatMailbox({ name: 'Ann Lee', address })).toBe('Ann Lee <"a b"@c.example>')
})

test('two spellings of one owned address have one key', () => {
  const key = (text: string) => {
    const address = parseAddress(text)
    return address && addressKey(address)
  }
  expect(key('"Ann"@C.example')).toBe(key('aNN@c.EXAMPLE'))
  expect(key('caf\u00e9@c.example')).toBe(key('cafe\u0301@c.example'))
  expect(key('a.nn@c.example')).not.toBe(key('ann@c.example'))
})

test('a tag is what follows the first plus of a base', () => {
  expect(splitTag('a+b+c')).toEqual({ base: 'a', tag: 'b+c' })
  expect(splitTag('a+')).toEqual({ base: 'a', tag: '' })
  for (const none of ['a', '+a', '"a+b c"']) expect(splitTag(none)).toBeUndefined()
})

test('a header list is read without its comments and groups, and what is no mailbox is told', () => {
  const list = (text: string) => {
    const { mailboxes, unread } = parseMailboxList(text)
    return [mailboxes.map((each) => [each.name, each.address.address]), unread]
  }
  expect(list('a@c.example (Ann), "Lee, B" <b@c.example>,, C (x\\) (y)) <c@c.example>')).toEqual([
    [
      [undefined, 'a@c.example'],
      ['Lee, B', 'b@c.example'],
      ['C', 'c@c.example'],
    ],
    [],
  ])
  expect(list('Team: a@c.example, b@c.example;, undisclosed-recipients:;')).toEqual([
    [
      [undefined, 'a@c.example'],
      [undefined, 'b@c.example'],
    ],
    [],
  ])
  expect(list('a@c.example (b@d.example')).toEqual([[], ['a@c.example (']])
  expect(list('x@d.example: a@c.example')).toEqual([[], ['x@d.example: a@c.example']])
  expect(list(`${'=?utf-8?q?=E6=97=A5?= '.repeat(300)}<a@c.example>`)[1]).toEqual([])
  expect(list(`${'n'.repeat(9000)} <a@c.example>`)[0]).toEqual([])
  expect(list('nobody, a@c.example "x')).toEqual([[], ['nobody', 'a@c.example "x']])
})

test('a megabyte of hostile text is read in linear time', () => {
  for (const piece of ['"', '\\', '(', 'a,', '<', 'a@', '"a" ', '.', 'a:', '>']) {
    const took = (size: number) => {
      const text = piece.repeat(size / piece.length)
      const start = performance.now()
      parseMailboxList(text)
      parseMailbox(text)
      parseAddress(text)
      return performance.now() - start
    }
    took(1 << 17)
    expect(took(1 << 21), piece).toBeLessThan(Math.max(500, took(1 << 20) * 8))
  }
})

const corpus = new URL('../../../shared/corpora/addresses/isemail-tests.xml', import.meta.url)

/** What we make of each of the suite's diagnoses; the suite's errors are the rest, and we refuse them all. */
const TAKEN = /^ISEMAIL_(VALID|DNSWARN_\w+|RFC5321_TLD|RFC5321_QUOTEDSTRING)$/
const TAKEN_AS_LITERALS = /^ISEMAIL_RFC5321_(ADDRESSLITERAL|IPV6DEPRECATED)$/
const REFUSED_ON_PURPOSE = /^ISEMAIL_(CFWS_\w+|DEPREC_\w+|RFC5321_TLDNUMERIC|RFC5322_\w+)$/

test.skipIf(!existsSync(corpus))('every address of a public suite gets the verdict that its diagnosis asks for', () => {
  const seen = { taken: 0, literal: 0, refused: 0, error: 0 }
  for (const [, body = ''] of readFileSync(corpus, 'utf8').matchAll(/<test id="\d+">([\s\S]*?)<\/test>/g)) {
    const field = (name: string) => new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(body)?.[1] ?? ''
    const address = unescapeXml(field('address'))
    const diagnosis = field('diagnosis')
    const verdict = parseAddress(address) !== undefined
    const asLiteral = parseAddress(address, { literals: true }) !== undefined
    const kind = TAKEN.test(diagnosis)
      ? 'taken'
      : TAKEN_AS_LITERALS.test(diagnosis)
        ? 'literal'
        : REFUSED_ON_PURPOSE.test(diagnosis)
          ? 'refused'
          : 'error'
    seen[kind]++
    if (kind === 'error') expect(diagnosis).toMatch(/^ISEMAIL_ERR_/)
    expect([address, diagnosis, verdict]).toEqual([address, diagnosis, kind === 'taken'])
    expect([address, diagnosis, asLiteral]).toEqual([address, diagnosis, kind === 'taken' || kind === 'literal'])
  }
  expect(seen.taken + seen.literal + seen.refused + seen.error).toBe(164)
})

/** The suite writes a control character as the symbol for it, U+2400 onwards. */
function unescapeXml(text: string): string {
  return text
    .replace(/&#x([0-9A-Fa-f]+);/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&')
    .replace(/[\u2400-\u241f\u2421]/g, (symbol) =>
      String.fromCharCode(symbol === '\u2421' ? 127 : symbol.charCodeAt(0) - 0x2400),
    )
}
