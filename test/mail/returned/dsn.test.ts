import { expect, test } from 'vitest'
import { actionOf, chooseRecipient, readDsn } from '../../../src/mail/returned/dsn.ts'

test('a report tells of each recipient its action, its code without the comment, and the words of the refusal', () => {
  const entries = readDsn(
    [
      'Reporting-MTA: dns; mx.example',
      '',
      'Original-Recipient: rfc822;Ann@Example.com',
      'Final-Recipient: rfc822; ann@inner.example',
      'Action: failed',
      'Status: 5.1.1 (bad mailbox)',
      'Diagnostic-Code: smtp; 550 5.1.1 no such',
      '\tuser here',
      '',
      'Final-Recipient: RFC822; <bob@example.com>',
      'Action: Delayed (try 3)',
      'Status: 4.4.1',
    ].join('\r\n'),
  )
  expect(entries).toEqual([
    {
      addresses: ['ann@example.com', 'ann@inner.example'],
      action: 'failed',
      status: '5.1.1',
      diagnostic: '550 5.1.1 no such user here',
    },
    { addresses: ['bob@example.com'], action: 'delayed', status: '4.4.1' },
  ])
})

test('recipients are told apart without empty lines between them, and are whole with empty lines within', () => {
  const run = 'Final-Recipient: rfc822;a@x.test\nAction: failed\nFinal-Recipient: rfc822;b@x.test\nAction: delivered\n'
  expect(readDsn(run).map(({ addresses, action }) => [addresses[0], action])).toEqual([
    ['a@x.test', 'failed'],
    ['b@x.test', 'delivered'],
  ])
  const torn = '\n\nAction: failed\n\nStatus: 5.2.2\n\nDiagnostic-Code: 552 full\n'
  expect(readDsn(torn)).toEqual([{ addresses: [], action: 'failed', status: '5.2.2', diagnostic: '552 full' }])
  const mixed =
    'Final-Recipient: rfc822;a@x.test\nAction: failed\n\nOriginal-Recipient: rfc822;b@x.test\nAction: relayed\n'
  expect(readDsn(mixed).map(({ addresses }) => addresses)).toEqual([['a@x.test'], ['b@x.test']])
})

test('an address in the xtext of its ORCPT is understood, and what is no address names nobody', () => {
  const entry = (field: string) => readDsn(`${field}\nAction: failed\n`)[0]?.addresses
  expect(entry('Original-Recipient: rfc822;a+2Bb@x.test')).toContain('a+b@x.test')
  expect(entry('Final-Recipient: rfc822;|/usr/bin/procmail')).toEqual([])
  expect(entry('Final-Recipient: unknown')).toEqual([])
})

test('where the action is missing the code tells it, and an unknown action says nothing', () => {
  expect(actionOf({ addresses: [], status: '5.1.1' })).toBe('failed')
  expect(actionOf({ addresses: [], status: '4.1.1' })).toBe('delayed')
  expect(actionOf({ addresses: [], status: '2.0.0' })).toBe('delivered')
  expect(actionOf({ addresses: [], action: 'delayed', status: '5.1.1' })).toBe('delayed')
  expect(readDsn('Action: vanished\n').map(actionOf)).toEqual([undefined])
  expect(readDsn('Status: 9.1.1\nStatus: 5.1\nStatus: 5.1.1111\n').map(actionOf)).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('of many entries the one that names the recipient counts, else the worst, and then in doubt', () => {
  const entries = readDsn(
    'Final-Recipient: rfc822;a@x.test\nAction: delayed\n\nFinal-Recipient: rfc822;b@x.test\nAction: failed\nStatus: 5.1.1\n\n' +
      'Final-Recipient: rfc822;c@x.test\nAction: delivered\n',
  )
  expect(chooseRecipient(entries, 'C@x.test')).toMatchObject({ entry: { action: 'delivered' }, named: true })
  expect(chooseRecipient(entries, 'other@x.test')).toMatchObject({ entry: { action: 'failed' }, named: false })
  expect(chooseRecipient(entries.slice(0, 1), 'other@x.test')).toMatchObject({
    entry: { action: 'delayed' },
    named: true,
  })
  expect(chooseRecipient([], 'a@x.test')).toBeUndefined()
})

test('a report of a thousand recipients, or with endless words, is cut', () => {
  expect(readDsn('Final-Recipient: rfc822;a@x.test\nAction: failed\n'.repeat(1000))).toHaveLength(200)
  const [entry] = readDsn(`Action: failed\nDiagnostic-Code: smtp; 550 ${'no\n '.repeat(50_000)}`)
  expect(entry?.diagnostic?.length).toBeLessThanOrEqual(1024)
})
