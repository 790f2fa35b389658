import { expect, test } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { createProvider, getProvider, patchProvider } from '../../../src/directory/providers/providers.ts'
import { takeCall } from '../../../src/feedback/told.ts'
import { makeSigner, type Signer } from '../../support/certificate.ts'
import { makeWorld, START } from '../../support/world.ts'
import { asked, fateOf, pages, type Sent, sentMail, told, world } from './scene.ts'

const TOPIC = 'arn:aws:sns:us-east-1:123456789012:mail'
const CERTIFICATES = 'https://sns.us-east-1.amazonaws.com/SimpleNotificationService-'
const YEAR = 365 * 86_400_000

const signers = {
  '1': await makeSigner('SHA-1', START - YEAR, START + YEAR),
  '2': await makeSigner('SHA-256', START - YEAR, START + YEAR),
}
pages.set(`${CERTIFICATES}1.pem`, signers['1'].pem)
pages.set(`${CERTIFICATES}2.pem`, signers['2'].pem)

type Sns = Record<string, string>

/** An SNS message as it is posted, signed. */
async function signed(given: Sns, version: '1' | '2' = '2', signer: Signer = signers[version]): Promise<Sns> {
  const message: Sns = {
    Type: 'Notification',
    MessageId: '165545c9-2a5c-472c-8df2-7ff2be2b3b1b',
    TopicArn: TOPIC,
    Timestamp: '2026-11-23T11:59:00.000Z',
    SignatureVersion: version,
    SigningCertURL: `${CERTIFICATES}${version}.pem`,
    ...given,
  }
  const order =
    message.Type === 'Notification'
      ? ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type']
      : ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type']
  const text = order.flatMap((name) => (message[name] === undefined ? [] : [`${name}\n${message[name]}\n`])).join('')
  return { ...message, Signature: await signer.sign(text) }
}

const SUBSCRIBE_URL = 'https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=2336412f37'
const question = (more: Sns = {}) =>
  signed({
    Type: 'SubscriptionConfirmation',
    Message: 'You have chosen to subscribe.',
    Token: '2336412f37',
    SubscribeURL: SUBSCRIBE_URL,
    ...more,
  })

/** SES, set up for an account and bound to the topic. */
async function sesOf(sent: Sent, topic_arn: string | null = TOPIC) {
  const made = await createProvider(sent.owner, { kind: 'ses', topic_arn })
  const post = (message: unknown) =>
    takeCall(world.ctx, made.id, { headers: new Headers(), body: utf8(JSON.stringify(message)) })
  const say = async (event: unknown) => post(await signed({ Message: JSON.stringify(event) }))
  return { made, post, say }
}

const mail = (token = '', more: Record<string, unknown> = {}) => ({
  timestamp: '2026-11-23T10:00:00.000Z',
  source: 'sender@x.test',
  messageId: 'EXAMPLE7c191be45',
  destination: ['ann@x.test'],
  headers: [{ name: 'From', value: 'sender@x.test' }],
  commonHeaders: { subject: 'Salom' },
  tags: { 'ses:configuration-set': ['ConfigSet'], pochta: [token] },
  ...more,
})
const hard = (token?: string, more: Record<string, unknown> = {}) => ({
  eventType: 'Bounce',
  bounce: {
    bounceType: 'Permanent',
    bounceSubType: 'General',
    bouncedRecipients: [
      { emailAddress: 'ann@x.test', action: 'failed', status: '5.1.1', diagnosticCode: 'smtp; 550 5.1.1 user unknown' },
    ],
    ...more,
  },
  mail: mail(token),
})

test('what SES tells, signed by SNS in either version, is written to the recipient', async () => {
  for (const version of ['1', '2'] as const) {
    const sent = await sentMail()
    const { post } = await sesOf(sent)
    const delivered = {
      eventType: 'Delivery',
      mail: mail(sent.tokens[0]),
      delivery: { recipients: ['ann@x.test'], smtpResponse: '250 2.6.0 Message received' },
    }
    await post(await signed({ Message: JSON.stringify(delivered), Subject: 'Amazon SES' }, version))
    expect(await sent.states()).toEqual(['delivered', 'sent'])
  }
})

test('each of SES’s events means what it is', async () => {
  const complaint = (more: Record<string, unknown>) => (token?: string) => ({
    eventType: 'Complaint',
    complaint: { complainedRecipients: [{ emailAddress: 'ann@x.test' }], ...more },
    mail: mail(token),
  })
  const delay = (token?: string) => ({
    eventType: 'DeliveryDelay',
    mail: mail(token),
    deliveryDelay: {
      delayType: 'TransientCommunicationFailure',
      delayedRecipients: [
        { emailAddress: 'ann@x.test', status: '4.4.1', diagnosticCode: 'smtp; 421 4.4.1 Unable to connect' },
      ],
    },
  })
  const silent = { bouncedRecipients: [{ emailAddress: 'ann@x.test' }] }
  const kinds: [(token?: string) => unknown, string][] = [
    [hard, 'bounced Permanent NoEmail suppressed'],
    [(token) => hard(token, { bounceSubType: 'NoEmail', ...silent }), 'bounced Permanent NoEmail suppressed'],
    [(token) => hard(token, { bounceSubType: 'Suppressed' }), 'bounced Permanent Suppressed suppressed'],
    [
      (token) => hard(token, { bounceSubType: 'OnAccountSuppressionList' }),
      'bounced Permanent OnAccountSuppressionList',
    ],
    [
      (token) => hard(token, { bounceType: 'Transient', bounceSubType: 'MailboxFull', ...silent }),
      'bounced Transient MailboxFull',
    ],
    [
      (token) => hard(token, { bounceType: 'Undetermined', bounceSubType: 'Undetermined', ...silent }),
      'bounced Undetermined General',
    ],
    [complaint({ complaintFeedbackType: 'abuse' }), 'complained suppressed'],
    [complaint({}), 'complained suppressed'],
    [complaint({ complaintFeedbackType: 'not-spam' }), 'sent'],
    [complaint({ complaintSubType: 'OnAccountSuppressionList' }), 'bounced Permanent OnAccountSuppressionList'],
    [delay, 'sent'],
    [
      (token) => ({ eventType: 'Reject', reject: { reason: 'Bad content' }, mail: mail(token) }),
      'bounced Permanent ContentRejected',
    ],
    [
      (token) => ({ eventType: 'Rendering Failure', failure: { errorMessage: 'x' }, mail: mail(token) }),
      'bounced Permanent General',
    ],
    [(token) => ({ eventType: 'Open', open: {}, mail: mail(token) }), 'sent'],
    [
      (token) => ({
        notificationType: 'Bounce',
        bounce: hard().bounce,
        mail: mail('', { source: `${token}@send.x.test` }),
      }),
      'bounced Permanent NoEmail suppressed',
    ],
    [
      (token) => ({
        ...hard(),
        mail: mail('', { tags: undefined, headers: [{ name: 'X-SES-MESSAGE-TAGS', value: `a=b, pochta=${token}` }] }),
      }),
      'bounced Permanent NoEmail suppressed',
    ],
  ]
  for (const [make, expected] of kinds) {
    const sent = await sentMail()
    const { say } = await sesOf(sent)
    const event = make(sent.tokens[0])
    await say(event)
    expect(await fateOf(sent), JSON.stringify(event)).toBe(expected)
    const [first] = await told(sent)
    if (make === delay) expect(first?.data).toMatchObject({ delayed: { reason: '421 4.4.1 Unable to connect' } })
  }
})

test('a message that SNS did not sign is refused, whatever it looks like', async () => {
  const sent = await sentMail()
  const { post } = await sesOf(sent)
  const Message = JSON.stringify(hard(sent.tokens[0]))
  const good = await signed({ Message })
  const late = await makeSigner('SHA-256', START - YEAR, START - 1000)
  pages.set(`${CERTIFICATES}late.pem`, late.pem)
  const forgeries: unknown[] = [
    { ...good, Message: Message.replace('5.1.1', '5.1.2') },
    { ...good, Timestamp: '2026-11-23T12:00:00.000Z' },
    { ...good, Signature: 'AAAA' },
    { ...good, Signature: '%' },
    { ...good, SignatureVersion: '1' },
    { ...good, SignatureVersion: '3' },
    await signed({ Message, TopicArn: `${TOPIC}-other` }),
    await signed({ Message }, '2', signers['1']),
    await signed({ Message, SigningCertURL: `${CERTIFICATES}late.pem` }, '2', late),
    ...(await Promise.all(
      [
        'http://sns.us-east-1.amazonaws.com/SimpleNotificationService-2.pem',
        'https://sns.us-east-1.amazonaws.com.evil.test/SimpleNotificationService-2.pem',
        'https://evil.test/sns.us-east-1.amazonaws.com/SimpleNotificationService-2.pem',
        'https://sns.us-east-1.amazonaws.com:444/SimpleNotificationService-2.pem',
        'https://evil@sns.us-east-1.amazonaws.com/SimpleNotificationService-2.pem',
        'https://sns.us-east-1.amazonaws.com/?Action=x&y=/SimpleNotificationService-2.pem',
        'https://sns.us-east-1.amazonaws.com/SimpleNotificationService-2.pem?x=.pem',
        'https://s3.us-east-1.amazonaws.com/SimpleNotificationService-2.pem',
        'not a url',
      ].map((SigningCertURL) => signed({ Message, SigningCertURL })),
    )),
  ]
  asked.length = 0
  for (const message of forgeries) {
    await expect(post(message), JSON.stringify(message)).rejects.toMatchObject({ code: 'invalid_api_key' })
  }
  expect(asked.filter((url) => !url.startsWith(CERTIFICATES))).toEqual([])
  for (const raw of [hard(sent.tokens[0]), null, [], 'x', { Type: 'constructor' }]) {
    await expect(post(raw)).rejects.toMatchObject({ code: 'invalid_request' })
  }
  expect(await sent.states()).toEqual(['sent', 'sent'])
  await post(good)
  expect(await sent.states()).toEqual(['bounced', 'sent'])
})

test('where the certificate cannot be had, SNS is told to come again', async () => {
  const sent = await sentMail()
  const { post } = await sesOf(sent)
  pages.set(`${CERTIFICATES}broken.pem`, 'no certificate')
  const message = await signed({
    Message: JSON.stringify(hard(sent.tokens[0])),
    SigningCertURL: `${CERTIFICATES}broken.pem`,
  })
  await expect(post(message)).rejects.toMatchObject({ code: 'service_unavailable' })
})

test('a certificate is fetched once', async () => {
  const sent = await sentMail()
  const { say } = await sesOf(sent)
  pages.set(`${CERTIFICATES}once.pem`, signers['2'].pem)
  asked.length = 0
  const { post } = await sesOf(sent)
  for (let time = 0; time < 3; time++) {
    await post(
      await signed({ Message: JSON.stringify(hard(sent.tokens[0])), SigningCertURL: `${CERTIFICATES}once.pem` }),
    )
  }
  await say(hard(sent.tokens[0]))
  expect(asked.filter((url) => url.endsWith('once.pem'))).toHaveLength(1)
})

test('the first topic that asks is confirmed and bound, and no other is believed after it', async () => {
  const sent = await sentMail()
  const { made, post, say } = await sesOf(sent, null)
  await expect(say(hard(sent.tokens[0]))).rejects.toMatchObject({ code: 'service_unavailable' })
  expect(await sent.states()).toEqual(['sent', 'sent'])
  asked.length = 0
  await post(await question())
  expect(asked.filter((url) => !url.startsWith(CERTIFICATES))).toEqual([SUBSCRIBE_URL])
  expect(await getProvider(sent.owner, made.id)).toMatchObject({ topic_arn: TOPIC })
  await expect(post(await question({ TopicArn: `${TOPIC}2` }))).rejects.toMatchObject({ code: 'invalid_api_key' })
  await say(hard(sent.tokens[0]))
  expect(await sent.states()).toEqual(['bounced', 'sent'])
  await patchProvider(sent.owner, made.id, { topic_arn: null })
  expect(await getProvider(sent.owner, made.id)).toMatchObject({ topic_arn: null })
})

test('a question is answered at SNS alone, and one that fails is asked again', async () => {
  const sent = await sentMail()
  const { made, post } = await sesOf(sent, null)
  for (const SubscribeURL of [
    'https://evil.test/?Action=ConfirmSubscription',
    'http://sns.us-east-1.amazonaws.com/',
    '',
  ]) {
    await expect(post(await question({ SubscribeURL }))).rejects.toMatchObject({ code: 'invalid_api_key' })
  }
  expect(await getProvider(sent.owner, made.id)).toMatchObject({ topic_arn: null })
  const down = await makeWorld({ net: { fetch: async () => ({ kind: 'failed', reason: 'x', timeout: true }) } })
  const body = utf8(JSON.stringify(await question()))
  await expect(takeCall(down.ctx, made.id, { headers: new Headers(), body })).rejects.toMatchObject({
    code: 'service_unavailable',
  })
  expect(await getProvider(sent.owner, made.id)).toMatchObject({ topic_arn: null })
})
