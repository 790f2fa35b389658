import { expect, test, vi } from 'vitest'
import { takeCloudflareEvents } from '../../../src/feedback/cloudflare.ts'
import { sweepFeedback } from '../../../src/feedback/sweep.ts'
import { insertHanded } from '../../../src/store/relays/handed.ts'
import { env } from '../../support/env.ts'
import { noFaults } from '../../support/faults.ts'
import { makeWorld } from '../../support/world.ts'
import { fateOf, type Sent, sentMail, suppressed, told, world } from './scene.ts'

/** A mail that the service took for each of its recipients, and under which ids. */
async function handedMail(at = world.ctx.now()): Promise<Sent & { ids: string[] }> {
  const sent = await sentMail()
  const ids = [0, 1].map((recipient) => `<${sent.id}-${recipient}@x.test>`)
  for (const [recipient, id] of ids.entries()) {
    const handed = { id, account: sent.account.number, message: sent.id, recipient, at }
    await insertHanded(world.ctx.stores, handed)
  }
  return { ...sent, ids }
}

const event = (kind: string, messageId: string | undefined, more: Record<string, unknown> = {}) => ({
  type: `cf.email.sending.message.${kind}`,
  source: { type: 'email.sending', zoneId: '0', domain: 'x.test' },
  payload: { eventId: '1', messageId, sender: 'me@x.test', recipient: 'ann@x.test', terminal: true, ...more },
  metadata: { eventSchemaVersion: 1, eventTimestamp: '2026-11-23T11:00:00Z' },
})

const delivery = (smtpResponse: string, more = {}) => ({ delivery: { smtpResponse, ...more } })

test('each of the service’s events means what it is', async () => {
  const kinds: [string, Record<string, unknown>, string][] = [
    ['delivered', delivery('250 2.0.0 OK', { smtpStatusCode: '250', smtpEnhancedStatusCode: '2.0.0' }), 'delivered'],
    ['deferred', delivery('451 4.2.0 Temporary mailbox error'), 'sent'],
    [
      'bounced',
      { ...delivery('550 5.1.1 User unknown'), bounce: { type: 'hard' } },
      'bounced Permanent NoEmail suppressed',
    ],
    [
      'bounced',
      {
        ...delivery('User unknown', { smtpStatusCode: '550', smtpEnhancedStatusCode: '5.1.1' }),
        bounce: { type: 'hard' },
      },
      'bounced Permanent NoEmail suppressed',
    ],
    ['bounced', { ...delivery('550 5.7.1 spam'), bounce: { type: 'hard' } }, 'bounced Permanent General'],
    ['bounced', { delivery: {}, bounce: { type: 'hard', reason: 'it did not work' } }, 'bounced Permanent General'],
    [
      'bounced',
      {
        delivery: {},
        bounce: { type: 'hard', reason: 'Permanent: no available upstream: unknown public suffix: x.invalid' },
      },
      'bounced Permanent NoEmail suppressed',
    ],
    ['bounced', { ...delivery('452 4.2.2 mailbox full'), bounce: { type: 'soft' } }, 'bounced Transient MailboxFull'],
    ['failed', { failure: { reason: 'delivery_failed' } }, 'bounced Undetermined General'],
    [
      'rejected',
      { rejection: { reason: 'suppressed', party: 'recipient', detail: 'Recipient is suppressed' } },
      'bounced Permanent OnAccountSuppressionList',
    ],
    ['rejected', { rejection: { reason: 'spam_rejection' } }, 'bounced Permanent ContentRejected'],
    ['complained', { complaint: { type: 'abuse' } }, 'complained suppressed'],
    ['complained', { complaint: { type: 'not-spam' } }, 'sent'],
    ['opened', {}, 'sent'],
  ]
  for (const [kind, more, expected] of kinds) {
    const sent = await handedMail()
    const { ids } = sent
    // A queue brings the same event more than once.
    await takeCloudflareEvents(world.ctx, [event(kind, ids[0], more), event(kind, ids[0], more)])
    expect(await fateOf(sent), `${kind} ${JSON.stringify(more)}`).toBe(expected)
    expect((await sent.states())[1]).toBe('sent')
    expect((await told(sent)).length).toBeLessThanOrEqual(1)
  }
})

test('an event of a mail, or of an address, that is not ours changes nothing', async () => {
  const sent = await handedMail()
  const bounced = { ...delivery('550 5.1.1 User unknown'), bounce: { type: 'hard' } }
  await takeCloudflareEvents(world.ctx, [
    event('bounced', '<other@x.test>', bounced),
    event('bounced', sent.ids[0], { ...bounced, recipient: 'bob@x.test' }),
    event('bounced', undefined, bounced),
    { type: 'cf.r2.bucket.created' },
    { account: sent.account },
    null,
    'x',
  ])
  expect(await sent.states()).toEqual(['sent', 'sent'])
  expect(await suppressed(sent)).toEqual([])
})

test('what cannot be written now is kept, and where that fails too the batch comes again', async () => {
  const sent = await handedMail()
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const delivered = [event('delivered', sent.ids[1], { recipient: 'bob@x.test' })]
  faults.down = true
  await expect(takeCloudflareEvents(shaky.ctx, delivered)).rejects.toThrow()
  faults.down = false
  faults.batches = ['fail']
  await takeCloudflareEvents(shaky.ctx, delivered)
  await sweepFeedback(shaky.ctx)
  expect(await sent.states()).toEqual(['sent', 'delivered'])
})

test('the queue of the service’s events leads here', async () => {
  const sent = await handedMail(Date.now())
  await asQueue(env.EMAIL_EVENTS).send(event('delivered', sent.ids[0], delivery('250 2.0.0 OK')))
  await vi.waitFor(async () => expect(await sent.states()).toEqual(['delivered', 'sent']), {
    timeout: 20_000,
    interval: 200,
  })
})

/** wrangler.toml binds it as one. */
function asQueue(binding: unknown): Queue {
  return binding as Queue
}
