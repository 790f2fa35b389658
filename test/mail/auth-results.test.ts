import { expect, test } from 'vitest'
import { readVerdicts } from '../../src/mail/auth-results.ts'
import type { Fields } from '../../src/mail/mime/header.ts'

const DOOR = { authservIds: ['door.test'], receivedBy: ['mx.door.test'] }
const NONE = { spf: null, dkim: null, dmarc: null }
const ALL = { spf: 'pass', dkim: 'pass', dmarc: 'pass' }

const OWN: [string, string] = [
  'Received',
  'from a.test (a.test [192.0.2.1]) by mx.door.test (Door) with ESMTPS id 1; Mon, 1 Jan 2024 00:00:00 +0000',
]
const FOREIGN: [string, string] = [
  'Received',
  'from evil.test by relay.evil.test with SMTP; Mon, 1 Jan 2024 00:00:00 +0000',
]
const results = (value: string): [string, string] => ['Authentication-Results', value]
const PASSED = results(
  'door.test; spf=pass smtp.mailfrom=a@a.test; dkim=pass header.d=a.test; dmarc=pass header.from=a.test',
)
const FAILED = results('door.test; spf=fail; dkim=fail; dmarc=fail')

const verdicts = (...fields: Fields) => readVerdicts(fields, DOOR)

test('what the door found is read above and below its own Received line', () => {
  expect(verdicts(PASSED, OWN, FOREIGN)).toEqual(ALL)
  expect(verdicts(OWN, PASSED, FOREIGN)).toEqual(ALL)
  expect(verdicts(OWN, PASSED)).toEqual(ALL)
})

test('where the door says nothing, nothing is known', () => {
  expect(verdicts()).toEqual(NONE)
  expect(verdicts(OWN, FOREIGN)).toEqual(NONE)
  expect(verdicts(OWN, results('door.test; none'))).toEqual(NONE)
  expect(verdicts(OWN, results('other.test; spf=pass'))).toEqual(NONE)
  expect(readVerdicts([PASSED, OWN], { authservIds: [], receivedBy: ['mx.door.test'] })).toEqual(NONE)
})

test('a forgery below the first Received line of a stranger is not believed', () => {
  expect(verdicts(OWN, FOREIGN, PASSED)).toEqual(NONE)
  expect(verdicts(FAILED, OWN, FOREIGN, PASSED)).toEqual({ spf: 'fail', dkim: 'fail', dmarc: 'fail' })
})

test('a forgery that follows upon what the door says is not believed', () => {
  expect(verdicts(FAILED, OWN, PASSED)).toEqual({ spf: 'fail', dkim: 'fail', dmarc: 'fail' })
  expect(verdicts(results('door.test; spf=fail'), OWN, PASSED)).toEqual({ ...NONE, spf: 'fail' })
})

test('a forged Received line in the name of the door does not carry its forgery', () => {
  expect(verdicts(OWN, OWN, PASSED)).toEqual(NONE)
  expect(verdicts(OWN, ['Received', 'from x by y.test by mx.door.test; now'], PASSED)).toEqual(NONE)
  expect(verdicts(OWN, ['Received', 'from by by y.test (by mx.door.test); now'], PASSED)).toEqual(NONE)
  expect(verdicts(OWN, ['Received', 'from "by mx.door.test" by y.test; now'], PASSED)).toEqual(NONE)
})

test('a message that did not come through the door has no findings of the door', () => {
  expect(verdicts(PASSED)).toEqual(NONE)
  expect(verdicts(PASSED, FOREIGN)).toEqual(NONE)
  expect(verdicts(PASSED, FOREIGN, OWN)).toEqual(NONE)
})

test('a door that adds no Received lines is believed above the first one', () => {
  const trusted = { authservIds: ['door.test'], receivedBy: [] }
  expect(readVerdicts([PASSED, FOREIGN], trusted)).toEqual(ALL)
  expect(readVerdicts([FOREIGN, PASSED], trusted)).toEqual(NONE)
})

test('a door of several hosts and ids is read as one', () => {
  const trusted = { authservIds: ['door.test', 'dmarc.door.test'], receivedBy: ['MX.door.test', 'in.door.test'] }
  const inner: [string, string] = ['received', 'by in.door.test with LMTP id 2; now']
  expect(
    readVerdicts(
      [inner, results('DMARC.door.test 1; dmarc=pass'), OWN, results('door.test; spf=softfail; dkim=none')],
      trusted,
    ),
  ).toEqual({ spf: 'softfail', dkim: 'none', dmarc: 'pass' })
})

test.each([
  ['door.test; spf=pass (a ; dmarc=pass) smtp.mailfrom=x', { ...NONE, spf: 'pass' }],
  ['door.test; spf=pass reason="x; dmarc=pass"', { ...NONE, spf: 'pass' }],
  ['door.test; spf=pass reason="\\"; dmarc=pass"', { ...NONE, spf: 'pass' }],
  ['(c) "door.test" (c) 1 (c); (c) SPF (c) = (c) Pass', { ...NONE, spf: 'pass' }],
  ['door.test; dkim/1=neutral; dkim=pass; dkim=fail', { ...NONE, dkim: 'pass' }],
  ['door.test; dkim=fail; dkim=none', { ...NONE, dkim: 'fail' }],
  [
    'door.test; spf=great; dmarc=permerror; iprev=pass; spf=temperror',
    { ...NONE, spf: 'temperror', dmarc: 'permerror' },
  ],
  ['door.test; spf=policy;;; =pass; spf; spf=', { ...NONE, spf: 'policy' }],
  ['door.test x; spf=pass', NONE],
  ['door.test dkim=pass', NONE],
  ['; spf=pass', NONE],
  ['=; spf=pass', NONE],
  ['door.test; "spf=pass"', NONE],
  ['door.test; spf "=" pass', NONE],
  ['door.test; (spf=pass', NONE],
  ['door.test.evil.test; spf=pass', NONE],
  ['', NONE],
])('%s', (value, expected) => {
  expect(verdicts(OWN, results(value))).toEqual(expected)
})

test('Received-SPF counts where the door is its receiver and said nothing else', () => {
  const spf = (value: string): [string, string] => ['Received-SPF', value]
  expect(
    verdicts(OWN, spf('softfail (mx.door.test: a (b)) client-ip=192.0.2.1; receiver=mx.door.test; identity=mailfrom')),
  ).toEqual({ ...NONE, spf: 'softfail' })
  expect(verdicts(OWN, spf('pass receiver="DOOR.test"'))).toEqual({ ...NONE, spf: 'pass' })
  expect(verdicts(OWN, spf('pass client-ip=192.0.2.1'))).toEqual(NONE)
  expect(verdicts(OWN, spf('pass receiver=evil.test; x="receiver=mx.door.test"'))).toEqual(NONE)
  expect(verdicts(OWN, spf('pass (receiver=mx.door.test)'))).toEqual(NONE)
  expect(verdicts(OWN, FOREIGN, spf('pass receiver=mx.door.test'))).toEqual(NONE)
  expect(verdicts(OWN, spf('fail receiver=mx.door.test'), spf('pass receiver=mx.door.test'))).toEqual({
    ...NONE,
    spf: 'fail',
  })
  expect(verdicts(OWN, results('door.test; spf=none'), spf('pass receiver=mx.door.test'))).toEqual({
    ...NONE,
    spf: 'none',
  })
})

test('ARC is not read', () => {
  expect(verdicts(OWN, ['ARC-Authentication-Results', 'i=1; door.test; spf=pass; dmarc=pass'])).toEqual(NONE)
})

test('long fields and many fields take no time and are not believed', () => {
  const from = performance.now()
  for (const noise of ['(', '"', ';', 'a=', 'by ', '\\']) {
    expect(verdicts(OWN, results(`door.test; ${noise.repeat(500_000)}`))).toEqual(NONE)
    verdicts(['Received', `from ${noise.repeat(500_000)}`])
  }
  expect(verdicts(...Array.from({ length: 200 }, (): [string, string] => ['X-A', 'b']), OWN, PASSED)).toEqual(NONE)
  expect(performance.now() - from).toBeLessThan(2000)
})
