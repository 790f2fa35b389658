import { expect, test } from 'vitest'
import {
  explanation,
  isBounceSubject,
  isMailDaemon,
  quotedReply,
  tellsDelay,
} from '../../../src/mail/returned/bounce-text.ts'

const reply = (text: string, recipient = '') => {
  const { code, enhanced, text: words } = quotedReply(text, recipient) ?? { text: '' }
  return [code, enhanced, words]
}

test('a reply is found where servers quote it', () => {
  for (const before of [
    '',
    'host mx.test said: ',
    '<a@x.test>: ',
    'Remote host said:\n',
    '<<< ',
    '(reason: ',
    "returned '",
  ]) {
    expect(reply(`Sorry.\n${before}550 5.1.1 no such user`), before).toEqual([550, '5.1.1', '550 5.1.1 no such user'])
  }
  expect(reply('was: 554 554 5.7.0 Header error')).toEqual([554, '5.7.0', '554 554 5.7.0 Header error'])
  expect(reply('x said: 552 sorry, full (#5.2.2)').slice(0, 2)).toEqual([552, '5.2.2'])
  expect(reply('Sorry, no mailbox here. (#5.1.1)')).toEqual([undefined, '5.1.1', 'Sorry, no mailbox here. (#5.1.1)'])
})

test('numbers that are no replies are not taken for one', () => {
  for (const text of [
    'after 550 attempts',
    'SIZE=5500 bytes',
    '[10.5.1.1]:25: timed out',
    'on Thu, 29 Apr 2010 23:34:45',
    'since 450 hours',
    'Software 4.5.6.7',
  ]) {
    expect(reply(text), text).toEqual([undefined, undefined, ''])
  }
})

test('a reply ends with what is said of this recipient', () => {
  const text = [
    '<a@x.test>:',
    'Remote host said: 550 5.1.1 no such',
    'user here',
    '<b@x.test>:',
    'Remote host said: 552 5.2.2 full',
    '',
    '550 later',
  ].join('\n')
  expect(reply(text, 'a@x.test')).toEqual([550, '5.1.1', '550 5.1.1 no such\nuser here'])
  expect(reply(text, 'B@x.test')).toEqual([552, '5.2.2', '552 5.2.2 full'])
  expect(reply('550 5.1.1 gone\n554 5.0.0 unavailable')[2]).toBe('550 5.1.1 gone')
  expect(reply('550-5.7.1 we\n550 5.7.1 block you')[2]).toBe('550-5.7.1 we\n550 5.7.1 block you')
})

test('a reply to MAIL FROM is marked as speaking of the sender', () => {
  const about = (text: string) => quotedReply(text, '')?.toSender
  expect(about('error after MAIL FROM:<a@x.test>:\n  host mx: 550 no such user')).toBe(true)
  expect(about('mx said: 550 no such user (in reply to\n  MAIL FROM command)')).toBe(true)
  expect(about('MAIL FROM:<a@x.test>\nRCPT TO:<b@x.test>\n<<< 550 no such user')).toBeUndefined()
})

test('the explanation ends where the returned message begins', () => {
  const cut = (line: string) => explanation(`No luck.\n${line}\n550 not part of it`)
  for (const line of [
    '--- Below this line is a copy of the message.',
    '------ This is a copy of the message, including all the headers. ------',
    '   ----- Unsent message follows -----',
    '----- Original message -----',
    'Original message follows.',
    'Message headers follow.',
    'Included is a copy of the message header:',
    'Received: from a by b',
    'Return-Path: <a@x.test>',
    '> Received: from a by b',
  ]) {
    expect(cut(line), line).toBe('No luck.')
  }
  for (const line of [
    'The original message was received at noon',
    '----- The following addresses had permanent fatal errors -----',
    'Your message was not delivered.',
  ]) {
    expect(cut(line), line).toContain('550')
  }
})

test('a delay is told from a failure, also by negations', () => {
  expect(tellsDelay('Delivery has been delayed.\nIt will be retried for 2 days.')).toBe(true)
  expect(tellsDelay('delivery failed; will not continue trying')).toBe(false)
  expect(tellsDelay('This is a permanent error; it was still being tried.')).toBe(false)
})

test('mail systems are known by address or name, bounces by their subject', () => {
  expect(isMailDaemon({ name: '', address: 'MAILER-DAEMON@x.test' })).toBe(true)
  expect(isMailDaemon({ name: 'Mail Delivery Subsystem', address: 'x@x.test' })).toBe(true)
  expect(isMailDaemon({ name: '', address: 'MAILER-DAEMON' })).toBe(true)
  expect(isMailDaemon({ name: 'Ann', address: 'ann@x.test' })).toBe(false)
  expect(isBounceSubject('Undelivered Mail Returned to Sender')).toBe(true)
  expect(isBounceSubject('Hello')).toBe(false)
})
