import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { readDsn } from '../../../src/mail/returned/dsn.ts'
import { type About, readReturned } from '../../../src/mail/returned/returned.ts'

const lines = (...text: string[]) => utf8(text.join('\r\n'))
const read = (raw: Uint8Array, about: Partial<About> = {}) => readReturned(raw, { recipient: 'ann@x.test', ...about })

/** A judgement in short: `bounced Permanent NoEmail suppress`. */
const short = (raw: Uint8Array, about: Partial<About> = {}) => {
  const returned = read(raw, about)
  if (returned.kind === 'nothing') return `nothing ${returned.why}`
  if (returned.kind !== 'bounced') return returned.kind
  const { type, subType, suppress } = returned.verdict
  return `bounced ${type} ${subType}${suppress ? ' suppress' : ''}`
}

const dsn = (...fields: string[]) =>
  lines(
    'From: MAILER-DAEMON@mx.test',
    'Subject: Undelivered Mail Returned to Sender',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    '',
    '--b',
    '',
    'It could not be delivered.',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.test',
    '',
    ...fields,
    '',
    '--b',
    'Content-Type: message/rfc822',
    '',
    'Subject: no such user',
    '',
    '550 5.1.1 user unknown',
    '--b--',
    '',
  )

const text = (subject: string, ...body: string[]) =>
  lines('From: Mail Delivery System <MAILER-DAEMON@mx.test>', `Subject: ${subject}`, '', ...body)

test('a report is judged by its action, whatever the rest says', () => {
  const to = 'Final-Recipient: rfc822; ann@x.test'
  expect(short(dsn(to, 'Action: failed', 'Status: 5.1.1'))).toBe('bounced Permanent NoEmail suppress')
  expect(short(dsn(to, 'Action: failed', 'Status: 5.2.2'))).toBe('bounced Permanent MailboxFull')
  expect(short(dsn(to, 'Action: failed', 'Status: 4.4.7'))).toBe('bounced Transient General')
  expect(short(dsn(to, 'Action: delayed', 'Status: 4.4.1'))).toBe('delayed')
  expect(short(dsn(to, 'Action: delivered', 'Status: 2.1.5'))).toBe('delivered')
  expect(short(dsn(to, 'Action: relayed', 'Status: 2.0.0'))).toBe('nothing relayed')
  expect(short(dsn(to, 'Action: expanded', 'Status: 2.0.0'))).toBe('nothing relayed')
})

test('the code that tells more is believed, and the diagnosis before the words around it', () => {
  const to = ['Final-Recipient: rfc822; ann@x.test', 'Action: failed']
  expect(read(dsn(...to, 'Status: 5.0.0', 'Diagnostic-Code: smtp; 550 5.1.1 who?'))).toMatchObject({
    reply: { code: 550, enhanced: '5.1.1', text: '550 5.1.1 who?' },
    verdict: { suppress: true },
  })
  expect(short(dsn(...to, 'Status: 5.1.1', 'Diagnostic-Code: smtp; 550 Nobody'))).toBe(
    'bounced Permanent NoEmail suppress',
  )
  expect(short(dsn(...to, 'Status: 5.0.0', 'Diagnostic-Code: smtp; 550 user unknown'))).toBe(
    'bounced Permanent NoEmail suppress',
  )
  expect(read(dsn(...to, 'Status: 5.1.1', 'Diagnostic-Code: smtp; 550 5.0.0 who?'))).toMatchObject({
    reply: { enhanced: '5.1.1' },
  })
  expect(short(dsn(...to, 'Status: 5.0.0', 'Diagnostic-Code: smtp; 550 5.3.5 It could not be'))).toBe(
    'bounced Permanent General',
  )
  expect(short(dsn(...to, 'Status: 5.7.1', 'Diagnostic-Code: smtp; 550 5.7.1 user unknown'))).toBe(
    'bounced Permanent General',
  )
})

test('an entry that names others does not suppress our recipient, unless it is the only one', () => {
  const other = (address: string) => [`Final-Recipient: rfc822; ${address}`, 'Action: failed', 'Status: 5.1.1', '']
  expect(short(dsn(...other('b@x.test'), ...other('c@x.test')))).toBe('bounced Permanent NoEmail')
  expect(short(dsn(...other('b@x.test')))).toBe('bounced Permanent NoEmail suppress')
  expect(short(dsn(...other('b@x.test'), 'Final-Recipient: rfc822; ann@x.test', 'Action: delivered'))).toBe('delivered')
})

test('a report without a part of its own is read out of the text, also when it is quoted or torn', () => {
  const fields = ['Final-Recipient: rfc822; ann@x.test', 'Action: failed', 'Status: 5.1.1']
  expect(short(text('Returned mail', 'Sorry.', '', ...fields))).toBe('bounced Permanent NoEmail suppress')
  const quoted = lines(
    'From: Ann <ann@x.test>',
    'Subject: Fwd: what is this?',
    '',
    ...fields.map((line) => `> ${line}`),
  )
  expect(short(quoted)).toBe('bounced Permanent NoEmail suppress')
})

test('a report inside a forwarded mail is found, but what we sent ourselves is never read', () => {
  const inner = new TextDecoder().decode(dsn('Final-Recipient: rfc822; ann@x.test', 'Action: failed', 'Status: 5.2.2'))
  const outer = [
    'From: postmaster@gate.test',
    'Subject: Returned mail',
    'Content-Type: multipart/mixed; boundary="o"',
    '',
    '--o',
    '',
    'See below.',
    '--o',
    'Content-Type: message/rfc822',
    '',
    inner,
    '--o--',
  ]
  expect(short(lines(...outer))).toBe('bounced Permanent MailboxFull')
  const twice = outer.map((line) =>
    line === inner ? outer.join('\r\n').replaceAll('"o"', '"p"').replaceAll('--o', '--p') : line,
  )
  expect(short(lines(...twice))).toBe('bounced Undetermined General')
  const own = ['Subject: Hi', 'Content-Type: text/plain', '', 'Action: failed', 'Status: 5.1.1'].join('\r\n')
  const returned = outer.map((line) => (line === inner ? own : line))
  expect(short(lines(...returned))).toBe('bounced Undetermined General')
})

test('bounces that only a person can read are judged by the replies and words in them', () => {
  const bounce = (...body: string[]) => short(text('failure notice', ...body))
  expect(bounce('<ann@x.test>:', 'Remote host said: 550 5.1.1 <ann@x.test>... User Unknown')).toBe(
    'bounced Permanent NoEmail suppress',
  )
  expect(bounce('Unknown user: ann@x.test', '', 'Original message follows.')).toBe('bounced Permanent NoEmail suppress')
  expect(bounce('User mailbox exceeds allowed size: ann@x.test')).toBe('bounced Permanent MailboxFull')
  expect(bounce('I was not able to connect. (#4.4.1)', 'I have given up.')).toBe('bounced Transient General')
  expect(bounce('Error after MAIL FROM:<us@y.test>:', ' host mx: 550 no such user')).toBe('bounced Permanent General')
  expect(bounce('Name service error for x.test: Host not found, try again')).toBe('bounced Transient General')
  expect(bounce('<ann@x.test>: 550 nothing more', '', 'Such mail is for an unknown user at times.')).toBe(
    'bounced Permanent General',
  )
  expect(bounce('It cannot be delivered.')).toBe('bounced Undetermined General')
  expect(bounce('550 5.7.1 blocked', '', '--- Below is a copy of the message.', '', 'user unknown')).toBe(
    'bounced Permanent General',
  )
  expect(short(text('Delivery Status Notification (Delay)', 'Not yet: 450 4.2.2 Mailbox full'))).toBe('delayed')
  expect(short(text('Returned mail: User unknown', 'See the transcript.'))).toBe('bounced Permanent NoEmail suppress')
})

test('a user called unknown only after the content was read may be one whose filter refused it', () => {
  const to = ['Final-Recipient: rfc822; ann@x.test', 'Action: failed']
  const report = (words: string, ...explained: string[]) =>
    new TextEncoder().encode(
      new TextDecoder()
        .decode(dsn(...to, 'Status: 5.0.0', `Diagnostic-Code: smtp; ${words}`))
        .replace('It could not be delivered.', explained.join('\r\n')),
    )
  const postfix = (command: string) => [
    `<ann@x.test>: host mx.test said: 550`,
    `    Unknown user (in reply to ${command}`,
    '    command)',
  ]
  expect(short(report('550 Unknown user', ...postfix('RCPT TO')))).toBe('bounced Permanent NoEmail suppress')
  expect(short(report('550 Unknown user', ...postfix('end of DATA')))).toBe('bounced Permanent General')
  const sendmail = (command: string) => [
    '<ann@x.test>',
    '',
    `>>> ${command}`,
    '<<< 550 Unknown user',
    '554 5.0.0 Service unavailable',
  ]
  expect(short(report('550 Unknown user', ...sendmail('RCPT To:<ann@x.test>')))).toBe(
    'bounced Permanent NoEmail suppress',
  )
  expect(short(report('550 Unknown user', ...sendmail('DATA')))).toBe('bounced Permanent General')
  // A code of the address is more than words, and so are words that leave no doubt.
  expect(short(report('550 5.1.1 Unknown user', ...sendmail('DATA')))).toBe('bounced Permanent NoEmail suppress')
  expect(short(report("554 dd This user doesn't have an account", ...sendmail('DATA')))).toBe(
    'bounced Permanent NoEmail suppress',
  )
  expect(short(text('failure notice', '-- server message', '550 unknown user', '', '-- SMTP command', 'DATA'))).toBe(
    'bounced Permanent General',
  )
})

test('bounces and automatic answers in other languages are what they are', () => {
  const from = { from: '' }
  const notice = (subject: string, body: string) =>
    short(lines(`Subject: ${subject}`, 'Content-Type: text/plain; charset=utf-8', '', body), from)
  for (const [subject, body] of [
    ['Unzustellbar: Hallo', 'Ihre Nachricht konnte nicht zugestellt werden: Empfänger unbekannt.'],
    ['Échec de la remise', 'Adresse introuvable.'],
    ['No se puede entregar', 'Usuario desconocido: ann@x.test'],
    ['Недоставленное сообщение', 'Пользователь не найден.'],
    ['退信通知', '收件人地址不存在。'],
    ['配信不能通知', 'ユーザーが見つかりません。'],
  ] as const) {
    expect(notice(subject, body), subject).toBe('bounced Permanent NoEmail suppress')
  }
  expect(notice('Unzustellbar', 'Das Postfach ist voll.')).toBe('bounced Permanent MailboxFull')
  expect(notice('退信', '对方邮箱空间已满。')).toBe('bounced Permanent MailboxFull')
  expect(
    notice('Zustellung: nicht zugestellt', 'Die Zustellung ist verzögert, es folgen weitere Zustellversuche.'),
  ).toBe('delayed')
  expect(notice('Недоставленное сообщение', 'Доставка задерживается.')).toBe('delayed')
  for (const subject of [
    'Abwesenheitsnotiz',
    'Réponse automatique : Bonjour',
    'Автоответ',
    '自動応答: 不在',
    '自动回复',
  ]) {
    expect(notice(subject, '550 5.1.1 user unknown'), subject).toBe('nothing auto-reply')
  }
})

test('an event of SES that comes by mail is read as one', () => {
  const notice = (event: unknown) =>
    short(
      lines(
        'From: SES <no-reply@sns.amazonaws.com>',
        'Subject: AWS Notification Message',
        '',
        JSON.stringify(event),
        '',
        '--',
        'If you wish to stop receiving notifications …',
      ),
    )
  const bounced = {
    bounceType: 'Permanent',
    bounceSubType: 'General',
    bouncedRecipients: [{ emailAddress: 'Ann@x.test', status: '5.1.1', diagnosticCode: 'smtp; 550 5.1.1 who?' }],
  }
  expect(notice({ notificationType: 'Bounce', bounce: bounced })).toBe('bounced Permanent NoEmail suppress')
  expect(
    notice({ notificationType: 'Delivery', delivery: { recipients: ['ann@x.test'], smtpResponse: '250 ok' } }),
  ).toBe('delivered')
  expect(
    notice({ notificationType: 'Complaint', complaint: { complainedRecipients: [{ emailAddress: 'ann@x.test' }] } }),
  ).toBe('complained')
  const two = { delivery: { recipients: ['b@x.test', 'c@x.test'] }, notificationType: 'Delivery' }
  for (const other of [two, { notificationType: 'constructor' }, {}])
    expect(notice(other)).toBe('nothing not-understood')
})

test('a bounce whose text is HTML alone is read as what it shows', () => {
  const html = lines(
    'From: postmaster@mx.test',
    'Subject: Undeliverable: Hi',
    'Content-Type: text/html',
    '',
    '<p>Sorry:</p><p>550 5.1.1 <b>user</b> unknown</p>',
  )
  expect(short(html)).toBe('bounced Permanent NoEmail suppress')
})

test('answers, receipts and letters are no bounces, whatever they talk of', () => {
  const vacation = [
    'From: Ann <ann@x.test>',
    'Subject: Away until May',
    'Auto-Submitted: auto-replied',
    '',
    'I am no longer with this company; mail is not delivered to me.',
  ]
  expect(short(lines(...vacation), { from: '' })).toBe('nothing auto-reply')
  expect(short(lines('From: Ann <ann@x.test>', 'Subject: Hi', '', 'We got 550 5.1.1 from you.'))).toBe(
    'nothing not-understood',
  )
  const receipt = lines(
    'Content-Type: multipart/report; report-type=disposition-notification; boundary=b',
    '',
    '--b',
    'Content-Type: message/disposition-notification',
    '',
    'Disposition: manual-action/MDN-sent-manually; deleted',
    '--b--',
  )
  expect(short(receipt)).toBe('nothing receipt')
})

test('a complaint is told from reports that no reader made', () => {
  const report = (type: string) =>
    lines(
      'Content-Type: multipart/report; report-type=feedback-report; boundary=b',
      '',
      '--b',
      'Content-Type: message/feedback-report',
      '',
      `Feedback-Type: ${type}`,
      '',
      '--b--',
    )
  expect(read(report('abuse'))).toEqual({ kind: 'complained', type: 'abuse' })
  for (const type of ['fraud', 'virus', 'other', 'opt-out', 'x-new'])
    expect(short(report(type)), type).toBe('complained')
  for (const type of ['auth-failure', 'not-spam']) expect(short(report(type)), type).toBe('nothing not-a-complaint')
})

test('hostile bytes never throw, are read in time that grows with their length, and leave little behind', () => {
  const noise = Uint8Array.from({ length: 20_000 }, (_, at) => (at * at * 7919 + at) % 256)
  expect(short(noise)).toMatch(/^nothing/)
  expect(short(new Uint8Array(0))).toBe('nothing not-understood')
  const endless = read(text('failure notice', `550 ${'x'.repeat(1_000_000)}`))
  expect(endless).toMatchObject({ kind: 'bounced' })
  expect(endless.kind === 'bounced' && endless.reply.text.length).toBeLessThanOrEqual(1024)
  const units = [
    'a',
    '@',
    '<',
    '> ',
    '\n',
    '550 ',
    'a@',
    '5.1.1 ',
    'Action: failed\n',
    ': ',
    'http://',
    'mail from ',
    'data 550\n ',
    '550 unknown user\n',
  ]
  for (const unit of units) {
    for (const wrap of [dsn, (body: string) => text('failure notice', body)]) {
      for (const length of [1_000_000, 2_000_000]) {
        const raw = wrap(unit.repeat(Math.ceil(length / unit.length)))
        const start = performance.now()
        read(raw)
        expect(performance.now() - start, JSON.stringify(unit)).toBeLessThan(2000)
      }
    }
  }
})

const corpus = new URL('../../../../shared/corpora/bounces/', import.meta.url)

/** Refusals that say "user unknown", "no such user" or "disabled" and nothing else, which the suite counts as living all the same. */
const CONTESTED = new Set(
  'lhost-activehunter-02 lhost-amazonses-20 lhost-mcafee-04 lhost-mcafee-05 lhost-powermta-03 lhost-surfcontrol-01 lhost-x1-01 lhost-x1-02 rfc3464-01 rfc3464-35'.split(
    ' ',
  ),
)
const NO_BOUNCE = new Set(['feedback', 'vacation', 'delivered'])

test.skipIf(!existsSync(corpus))(
  'of real bounces all are seen, 95 of 100 dead addresses are found, and no living one is called dead',
  () => {
    type Expected = { reason: string; hard: boolean }
    const expected: Record<string, Expected[]> = JSON.parse(readFileSync(new URL('expected.json', corpus), 'utf8'))
    const wrong: string[] = []
    let dead = 0
    let found = 0
    for (const [file, recipients] of Object.entries(expected)) {
      const raw = new Uint8Array(readFileSync(new URL(`${file}.eml`, corpus)))
      const head = new TextDecoder('latin1').decode(raw)
      const named = readDsn(head).map(({ addresses }) => addresses[0] ?? '')
      if (recipients.length > 1 && named.length !== recipients.length) continue
      for (const [at, { reason, hard }] of recipients.entries()) {
        const returned = read(raw, { recipient: named[at] ?? '' })
        const seen = returned.kind === 'bounced' || returned.kind === 'delayed'
        if (seen === NO_BOUNCE.has(reason)) wrong.push(`${file}: ${reason} is ${returned.kind}`)
        const suppress = returned.kind === 'bounced' && returned.verdict.suppress
        if (hard) dead++
        if (hard && suppress) found++
        if (!hard && suppress && !CONTESTED.has(file)) wrong.push(`${file}: ${reason} is called dead`)
      }
    }
    expect(wrong).toEqual([])
    expect(dead).toBeGreaterThan(60)
    expect(found / dead).toBeGreaterThanOrEqual(0.95)
  },
)
