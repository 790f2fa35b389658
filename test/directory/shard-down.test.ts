import { expect, test } from 'vitest'
import { SendEmailBody } from '../../src/contract/emails.ts'
import { getAccount } from '../../src/directory/accounts.ts'
import { checkHealth } from '../../src/directory/health.ts'
import { sweepMoving } from '../../src/directory/moving/sweep.ts'
import { sweepFeedback } from '../../src/feedback/sweep.ts'
import { storageTrouble } from '../../src/http/problem.ts'
import { listMessages } from '../../src/mailbox/read.ts'
import { sweepMailbox } from '../../src/mailbox/sweep.ts'
import { askRecipient, receive } from '../../src/reception/receive.ts'
import { sweepRuleRuns } from '../../src/reception/rules/sweep.ts'
import { relayBatch } from '../../src/relay/relay.ts'
import { sweepRelay } from '../../src/relay/sweep.ts'
import { sweepScheduled } from '../../src/submission/scheduled/release.ts'
import { submit } from '../../src/submission/submit.ts'
import { sweepWebhooks } from '../../src/webhook/dispatch.ts'
import { mailBytes } from '../fixtures/mail/mails.ts'
import { Remote } from '../relay/remote.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld, type World } from '../support/world.ts'

test('one mail database down: its accounts are put off, and nobody else notices', async () => {
  const { world, shards, here, there } = await twoAccounts()
  shards.MAIL_2.down = true

  const refused = await arrive(world, there.address).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'service_unavailable' })
  await expect(submit(there, mail(there.address))).rejects.toMatchObject({ code: 'service_unavailable' })
  const unread = await listMessages(there, { limit: 5 }).catch((error: unknown) => error)
  expect(storageTrouble(unread, 'GET')).toMatchObject({ code: 'service_unavailable' })
  expect(await askRecipient(world.ctx, there.address)).toEqual({ accept: true })

  await arrive(world, here.address)
  await submit(here, mail(here.address))
  expect(await listMessages(here, { limit: 5 })).toMatchObject({ data: [{}, {}] })
  expect(await getAccount(world.ctx, here.account.id)).toMatchObject({ database: 'DB' })
  expect(await checkHealth(world.ctx)).toEqual({ status: 'degraded', down: ['MAIL_2'] })

  shards.MAIL_2.down = false
  await arrive(world, there.address)
  expect(await checkHealth(world.ctx)).toEqual({ status: 'ok' })
})

test('the sweeps go on with every other database, and so does a batch of deliveries', async () => {
  const { world, shards, remote, here, there } = await twoAccounts()
  const [ours, theirs] = [await submit(here, mail(here.address)), await submit(there, mail(there.address))]
  shards.MAIL_2.down = true

  world.woken.length = 0
  await sweepRelay(world.ctx)
  expect(world.woken).toContainEqual({ what: 'relay', account: here.account.id, messages: [ours.id] })
  const sweeps = [sweepScheduled, sweepFeedback, sweepMailbox, sweepRuleRuns, sweepMoving]
  for (const sweep of sweeps) await sweep(world.ctx)
  await sweepWebhooks(world.ctx, { readFull: async () => undefined })

  const wakeUps = [there, here].map(({ account }) => ({ account, messages: [ours.id, theirs.id] }))
  // The queue is to bring the others again.
  await expect(relayBatch(world.ctx, wakeUps)).rejects.toThrow('storage is down')
  expect(remote.taken).toHaveLength(1)

  shards.MAIL_2.down = false
  await relayBatch(world.ctx, wakeUps)
  expect(remote.taken).toHaveLength(2)
})

async function twoAccounts() {
  const shards = { MAIL_2: noFaults(), MAIL_3: noFaults() }
  const remote = new Remote({})
  const world = await makeWorld({
    shards,
    net: { connect: remote.connect },
    config: { RELAY_URL: 'smtp://127.0.0.1:2525' },
  })
  const [here, there] = [await makeAccount(world), await makeAccount(world, undefined, 'MAIL_2')]
  return { world, shards, remote, here, there }
}

function mail(from: string) {
  return SendEmailBody.parse({ from, to: ['x@remote.test'], subject: 'out', text: '.' })
}

function arrive({ ctx }: World, to: string) {
  const bytes = mailBytes('From: a@b.test\nSubject: In\n\nText.\n')
  return receive(ctx, { door: 'inbound', from: 'a@b.test', to, size: bytes.length, raw: new Blob([bytes]).stream() })
}
