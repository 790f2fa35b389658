import { expect, test } from 'vitest'
import {
  addressFault,
  heloFault,
  mailCommand,
  notifyFault,
  orcpt,
  rcptCommand,
  xtext,
} from '../../src/smtp/commands.ts'
import { longestOpening, longestTransaction, within } from '../../src/smtp/pipe.ts'
import { stillClock } from './clock.ts'

test('paths are said without a space before them', () => {
  expect(mailCommand('', [])).toBe('MAIL FROM:<>')
  expect(mailCommand('a@x.example', ['SIZE=1'])).toBe('MAIL FROM:<a@x.example> SIZE=1')
  expect(rcptCommand('b@y.example', [])).toBe('RCPT TO:<b@y.example>')
})

test('ordinary addresses, long VERP addresses and literals are without fault', () => {
  for (const address of [
    "o'hara+tag=x@y.example",
    `bounce-${'a'.repeat(80)}@x.example`,
    'a@[192.0.2.1]',
    '"a@b"@x.example',
    'ü@bücher.example',
  ]) {
    expect(addressFault(address)).toBeUndefined()
  }
})

test('no control character at all stands in an address', () => {
  for (let code = 0; code < 0xa1; code++) {
    if (code > 0x20 && code < 0x7f) continue
    expect(addressFault(`a${String.fromCharCode(code)}b@x.example`)).toBeDefined()
  }
})

test('xtext leaves nothing that could end a parameter (RFC 3461 section 4)', () => {
  expect(xtext('a+b=c d\r\n"ü'.slice(0, 9))).toBe('a+2Bb+3Dc+20d+0D+0A')
  const every = String.fromCharCode(...Array.from({ length: 128 }, (_, at) => at))
  expect(xtext(every)).toMatch(/^[!-~]+$/)
  const back = xtext(every).replace(/\+([0-9A-F]{2})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  expect(back).toBe(every)
})

test('an original recipient that is not ASCII is said by escapes (RFC 6533 section 3)', () => {
  expect(orcpt('o+k@y.example')).toBe('rfc822;o+2Bk@y.example')
  expect(orcpt('ü+a=\\😀@y.example')).toBe('utf-8;\\x{FC}\\x{2B}a\\x{3D}\\x{5C}\\x{1F600}@y.example')
})

test('NOTIFY is NEVER alone, or each of the others once', () => {
  expect(notifyFault('NEVER')).toBeUndefined()
  expect(notifyFault('SUCCESS,FAILURE,DELAY')).toBeUndefined()
  for (const wrong of ['', 'NEVER,SUCCESS', 'FAILURE,FAILURE', 'failure', 'FAILURE ', 'FAILURE\r\nX']) {
    expect(notifyFault(wrong)).toBeDefined()
  }
})

test('IPv6 literals greet in their own form', () => {
  expect(heloFault('[IPv6:2001:db8::1]')).toBeUndefined()
  expect(heloFault('2001:db8::1')).toContain('bare')
})

test('waiting ends when the time is up, and leaves no timer behind', async () => {
  const clock = stillClock()
  const waiting = within(clock, 1000, new Promise(() => undefined), 'opening the connection')
  clock.fireNext()
  await expect(waiting).rejects.toThrow('opening the connection took longer than 1000 ms')
  expect(await within(clock, 1000, Promise.resolve(1), 'x')).toBe(1)
  await expect(within(clock, 1000, Promise.reject(new Error('no')), 'x')).rejects.toThrow('no')
  expect(clock.timers).toBe(0)
})

test('an opening and a transaction together fit the fifteen minutes of a queue consumer', () => {
  expect(longestTransaction()).toBeLessThanOrEqual(12 * 60_000)
  expect(longestTransaction({ timers: { dot: 1000 } })).toBeLessThan(longestTransaction())
  expect(longestOpening({ timers: { command: 1000, block: 1000 } })).toBeLessThan(60_000)
})
