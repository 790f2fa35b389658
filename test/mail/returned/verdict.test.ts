import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { classifyReply } from '../../../src/mail/returned/verdict.ts'

/** `550 5.1.1 text` judged, in short. */
const judge = (reply: string) => {
  const [, code = '', enhanced, text = ''] = /^(\d{3}) (?:(\d\.\d+\.\d+) ?)?(.*)$/s.exec(reply) ?? []
  const { type, subType, suppress } = classifyReply({ code: Number(code), enhanced, text })
  return `${type} ${subType}${suppress ? ' suppress' : ''}`
}

test('only a dead address is suppressed, by its code', () => {
  for (const dead of ['5.1.1', '5.1.2', '5.1.3', '5.1.6', '5.1.10', '5.2.1']) {
    expect(judge(`550 ${dead}`), dead).toBe('Permanent NoEmail suppress')
    expect(judge(`450 4${dead.slice(1)}`), dead).toBe('Transient NoEmail')
  }
  for (const living of ['5.7.1', '5.7.26', '5.4.4', '5.3.2', '5.1.8', '5.7.0', '5.6.0', '5.9.9']) {
    expect(judge(`550 ${living} user unknown`), living).not.toContain('suppress')
  }
})

test('a full mailbox and a large mail are told apart, and suppress nobody', () => {
  expect(judge('552 5.2.2 over quota')).toBe('Permanent MailboxFull')
  expect(judge('452 4.2.2 over quota')).toBe('Transient MailboxFull')
  expect(judge('552 5.3.4 no such user')).toBe('Permanent MessageTooLarge')
  expect(judge('552 5.2.3')).toBe('Permanent MessageTooLarge')
  expect(judge('550 5.6.1')).toBe('Permanent ContentRejected')
})

test('words are read where no code tells', () => {
  expect(judge('550 User unknown in virtual mailbox table')).toBe('Permanent NoEmail suppress')
  expect(judge('550 5.0.0 no such\n  USER here')).toBe('Permanent NoEmail suppress')
  expect(judge('550 5.1.0 recipient\r\nunknown')).toBe('Permanent NoEmail suppress')
  expect(judge('450 user unknown')).toBe('Transient NoEmail')
  expect(judge('552 mailbox is full')).toBe('Permanent MailboxFull')
  expect(judge('552 message too large')).toBe('Permanent MessageTooLarge')
  expect(judge('554 virus found')).toBe('Permanent ContentRejected')
  expect(judge('554 attachment of this file type refused')).toBe('Permanent AttachmentRejected')
  expect(judge('550 Requested action not taken: mailbox unavailable')).toBe('Permanent General')
  expect(judge('550 blocked as spam; does not exist')).toBe('Permanent General')
  expect(judge(`550 ${'x'.repeat(3000)} user unknown`)).toBe('Permanent General')
})

test('words that speak of policy or a full mailbox save an address which the code calls dead', () => {
  expect(judge('552 5.1.1 mailbox a@b.example is over quota temporarily')).toBe('Permanent MailboxFull')
  expect(judge('550 5.2.1 The user you are trying to contact is receiving mail at a rate that')).toBe(
    'Permanent General',
  )
  expect(judge('550 5.1.1 192.0.2.1 has sent to too many recipients')).toBe('Permanent General')
  expect(judge('550 5.1.1 user unknown, see our policy')).toBe('Permanent NoEmail suppress')
})

test('a host or domain that takes no mail makes the address dead, by code or by words', () => {
  for (const dead of [
    '556 domain takes none',
    '521 5.3.2 system not accepting network messages',
    '521 we do not accept mail',
    '550 5.4.4 host not found',
    '550 5.4.1 recipient address rejected: access denied',
    '550 5.1.0 address rejected',
    '550 5.7.27 host does not accept mail',
  ]) {
    expect(judge(dead), dead).toBe('Permanent NoEmail suppress')
  }
  for (const living of [
    '556 5.7.1 blocked',
    '521 5.7.1 does not accept mail from you',
    '521 go away',
    '550 5.4.4 sender domain not found',
    '550 5.7.27 sender address has null mx',
    '550 5.1.0 sender address rejected',
    '550 5.1.0 address rejected by policy',
  ]) {
    expect(judge(living), living).toBe('Permanent General')
  }
})

test('words speak of the address only where they do not speak of the sender, and names and links say nothing', () => {
  expect(judge('550 sender does not exist')).toBe('Permanent General')
  expect(judge('550 returned to sender: no such user')).toBe('Permanent NoEmail suppress')
  expect(judge('550 <no-such-user@x.test> refused')).toBe('Permanent General')
  expect(judge('550 no such user <spam-blocked@x.test>')).toBe('Permanent NoEmail suppress')
  expect(judge('550 no such user, see https://x.test/policy')).toBe('Permanent NoEmail suppress')
  expect(judge('553 5.1.3 https://x.test/spam-list')).toBe('Permanent General')
  expect(judge('550 5.1.1 user unknown or over quota')).toBe('Permanent MailboxFull')
})

test('no word of policy lets an address be suppressed', () => {
  const words = [
    'spam',
    'blocked',
    'blacklist',
    'blocklist',
    'reputation',
    'policy',
    'DMARC',
    'SPF',
    'DKIM',
    'greylisted',
    'rate limit',
    'at a rate',
  ]
  for (const word of [
    ...words,
    'too quickly',
    'too many',
    'relaying',
    'relay access',
    'relay not',
    'denied',
    'authentication',
  ]) {
    expect(judge(`550 ${word}: no such user`), word).toBe('Permanent General')
    expect(judge(`550 5.1.1 ${word}`), word).toBe('Permanent General')
  }
})

test('every refusal is judged by its first digit', () => {
  for (const code of [500, 550, 599]) expect(judge(`${code} 5.1.1`)).toBe('Permanent NoEmail suppress')
  for (const code of [400, 450, 499]) expect(judge(`${code} 4.1.1`)).toBe('Transient NoEmail')
})

test('codes that contradict each other are judged by the basic one and the words', () => {
  expect(judge('450 5.1.1')).toBe('Transient General')
  expect(judge('550 4.1.1 user unknown')).toBe('Permanent NoEmail suppress')
  expect(judge('550 4.1.1 try again')).toBe('Permanent General')
  expect(classifyReply({ code: 0, text: 'user unknown' })).toEqual({
    type: 'Undetermined',
    subType: 'NoEmail',
    suppress: false,
  })
  expect(classifyReply({ code: 550, enhanced: '5.1.1x', text: '' }).suppress).toBe(false)
})

const corpus = new URL('../../../../shared/corpora/bounces/', import.meta.url)

/** The suite's words for refusals that say nothing against the address. */
const LIVING = new Set(
  'blocked spamdetected policyviolation mailboxfull mesgtoobig authfailure badreputation speeding norelaying contenterror securityerror virusdetected requireptr systemerror expired networkerror'.split(
    ' ',
  ),
)

test.skipIf(!existsSync(corpus))(
  'of real bounces, nobody is suppressed whom the suite calls blocked, full or too large',
  () => {
    type Expected = { status: string; replycode: string; reason: string; hard: boolean }
    const expected: Record<string, Expected[]> = JSON.parse(readFileSync(new URL('expected.json', corpus), 'utf8'))
    let judged = 0
    for (const [file, recipients] of Object.entries(expected)) {
      const mail = readFileSync(new URL(`${file}.eml`, corpus), 'latin1')
      for (const { status, replycode, reason, hard } of recipients) {
        if (!/^\d{3}$/.test(replycode) || hard || recipients.length > 1 || !LIVING.has(reason)) continue
        const text = /^Diagnostic-Code:(?:.*\r?\n)(?:[ \t].*\r?\n)*/im.exec(mail)?.[0] ?? mail
        judged++
        expect([file, reason, classifyReply({ code: Number(replycode), enhanced: status, text }).suppress]).toEqual([
          file,
          reason,
          false,
        ])
      }
    }
    expect(judged).toBeGreaterThan(50)
  },
)

test('what was given up on is transient, in whichever class it is told', () => {
  expect(judge('550 4.4.7 message expired')).toBe('Transient General')
  expect(judge('554 5.4.7 delivery time expired')).toBe('Transient General')
  expect(classifyReply({ code: 0, text: 'connection timed out' }).type).toBe('Transient')
  expect(classifyReply({ code: 0, text: 'it did not work' }).type).toBe('Undetermined')
})

test('words of a service that mean something there are read as there', () => {
  expect(judge('550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)')).toBe(
    'Permanent NoEmail suppress',
  )
  expect(judge('550 5.1.350 Remote server returned invalid recipient address')).toBe('Permanent NoEmail suppress')
  expect(judge('550 Unknown user ann@mail.docomo.test')).toBe('Permanent General')
  expect(judge('550 5.1.1 Unknown user ann@mail.docomo.test')).toBe('Permanent NoEmail suppress')
  expect(judge('550 5.1.1 Refused due to recipient preferences')).toBe('Permanent General')
  expect(judge('550 This account has been disabled')).toBe('Permanent General')
  expect(judge('550 Empfa\u0308nger unbekannt')).toBe('Permanent NoEmail suppress')
})

test('what was refused for its content is told from what was refused for its sender', () => {
  expect(judge('550 5.7.1 Message content rejected, UBE')).toBe('Permanent ContentRejected')
  expect(judge('554 5.7.1 This message has been detected as spam')).toBe('Permanent ContentRejected')
  expect(judge('552 5.7.0 This message was blocked because its content presents a potential security issue')).toBe(
    'Permanent ContentRejected',
  )
  expect(judge('554 5.7.1 Client host rejected: blocked using a spam list')).toBe('Permanent General')
  expect(judge('550 5.7.26 SPF fails. The message is considered spam')).toBe('Permanent General')
  expect(judge('550 spam message from an unknown user')).toBe('Permanent ContentRejected')
})
