import { expect, test } from 'vitest'
import { makeKeyring } from '../../../src/base/seal.ts'
import { markerField } from '../../../src/mail/returned/marker.ts'
import { judgeTold, type ToldClass } from '../../../src/mail/returned/told.ts'
import { makeVerp } from '../../../src/mail/returned/verp.ts'

const judge = (known: ToldClass, said: string, status?: string) => {
  const told = judgeTold({ said, ...(status ? { status } : {}), spare: 'spare', known })
  if (told.kind !== 'bounced') return told.kind
  const { type, subType, suppress } = told.verdict
  return `${type} ${subType}${suppress ? ' suppress' : ''}`
}
const HARD: ToldClass = { type: 'Permanent', subType: 'NoEmail' }
const SOFT: ToldClass = { type: 'Transient', subType: 'General' }

test('what the server said is believed before what the service calls it', () => {
  expect(judge(HARD, 'smtp; 550 5.7.1 blocked by policy')).toBe('Permanent General')
  expect(judge(HARD, 'smtp;552 5.2.2 over quota')).toBe('Permanent MailboxFull')
  expect(judge(SOFT, 'smtp; 550 5.1.1 no such user')).toBe('Permanent NoEmail suppress')
  expect(judge(SOFT, '', '5.1.1')).toBe('Permanent NoEmail suppress')
})

test('where the server said nothing that tells, the service is believed', () => {
  expect(judge(HARD, '')).toBe('Permanent NoEmail suppress')
  expect(judge(HARD, 'smtp; 550 Requested action not taken', '5.0.0')).toBe('Permanent NoEmail suppress')
  expect(judge(SOFT, 'it did not work')).toBe('Transient General')
  expect(judge({ type: 'Permanent', subType: 'Suppressed' }, '')).toBe('Permanent Suppressed suppress')
  expect(judge({ type: 'Permanent', subType: 'OnAccountSuppressionList' }, '')).toBe(
    'Permanent OnAccountSuppressionList',
  )
  expect(judgeTold({ said: '', spare: 'Hard bounce', known: HARD })).toMatchObject({ reply: { text: 'Hard bounce' } })
})

test('the longest token fits the field of each service', async () => {
  const keyring = await makeKeyring('a secret of at least thirty-two characters')
  const most = {
    account: Number.MAX_SAFE_INTEGER,
    message: '01919b1e-7c4a-7e10-8f3a-5b0c6d7e8f90',
    recipient: 1_679_615,
  }
  const token = (await makeVerp(keyring, most, 'x.test')).split('@')[0] ?? ''
  expect(markerField('postmark', token)).toBe(`X-PM-Metadata-pochta: ${token}`)
  expect(markerField('ses', token)).toBe(`X-SES-MESSAGE-TAGS: pochta=${token}`)
  expect(token.length).toBeLessThanOrEqual(80)
  expect(token).toMatch(/^[A-Za-z0-9_-]+$/)
  for (const none of ['', 'smtp', 'constructor']) expect(markerField(none, token)).toBeUndefined()
})
