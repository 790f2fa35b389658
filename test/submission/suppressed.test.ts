import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { type Caller, newToken } from '../../src/context.ts'
import { SendEmailBody } from '../../src/contract/emails.ts'
import { newSuppression } from '../../src/record/suppression.ts'
import { addSuppressions, type SuppressionOrigin } from '../../src/store/suppressions.ts'
import { submit } from '../../src/submission/submit.ts'
import { submitRaw } from '../../src/submission/submit-mime.ts'
import { eventsOf, readOutbox } from '../relay/outbox.ts'
import { noFaults } from '../support/faults.ts'
import { makeAccount, makeWorld } from '../support/world.ts'

const world = await makeWorld()

const mailTo = (from: string, to: string[]) => SendEmailBody.parse({ from, to, subject: 'Salom', text: 'Hi' })

async function suppress(ctx: Caller, email: string, origin: SuppressionOrigin = 'manual') {
  const change = { now: ctx.now(), token: newToken(ctx) }
  await addSuppressions(ctx.stores, ctx.account, change, [newSuppression(ctx, email, origin)])
}

const statesOf = async (ctx: Caller, id: string) => {
  const { recipients, last_event, due } = await readOutbox(ctx, ctx.account, id)
  return { states: recipients.map(({ address, state }) => `${address} ${state}`), last_event, due, recipients }
}

test('those on the list are not sent to, in any spelling, and the others are', async () => {
  const ctx = await makeAccount(world)
  await ctx.stores.directory.run(sql`UPDATE counters SET listeners = 1 WHERE account = ${ctx.account.number}`)
  await suppress(ctx, 'dead@y.test', 'bounce')
  await suppress(ctx, 'angry@y.test', 'complaint')
  await suppress(ctx, 'tired@y.test')
  await suppress(ctx, 'weary@y.test')
  const to = ['ok@y.test', 'Dead@Y.test', 'angry@y.test', 'tired@y.test', 'WEARY@y.test', 'dead+1@y.test']
  const { id } = await submit(ctx, mailTo(ctx.address, to))
  const { states, last_event, due, recipients } = await statesOf(ctx, id)
  expect(states).toEqual([
    'ok@y.test queued',
    'Dead@y.test suppressed',
    'angry@y.test suppressed',
    'tired@y.test suppressed',
    'WEARY@y.test suppressed',
    'dead+1@y.test queued',
  ])
  expect(recipients[1]).not.toHaveProperty('due')
  expect({ last_event, due }).toEqual({ last_event: 'suppressed', due: world.ctx.now() })
  const told = (await eventsOf(ctx, ctx.account)).filter(({ type }) => type.startsWith('email.'))
  expect(told.map(({ type }) => type)).toEqual(Array.from({ length: 3 }, () => 'email.suppressed'))
  expect(told.map(({ data }) => data)).toMatchObject([
    { email_id: id, recipients: ['Dead@y.test'], suppressed: { type: 'OnAccountSuppressionList', reason: 'bounce' } },
    { recipients: ['angry@y.test'], suppressed: { reason: 'complaint', message: expect.stringContaining('spam') } },
    { recipients: ['tired@y.test', 'WEARY@y.test'], suppressed: { reason: 'manual' } },
  ])
  expect(world.woken).toContainEqual({ what: 'webhooks', account: ctx.account.id })
})

test('where all are on the list the mail is stored, and nothing of it is due or counted', async () => {
  const ctx = await makeAccount(world)
  await suppress(ctx, 'dead@y.test', 'bounce')
  await ctx.stores.directory.run(sql`UPDATE counters SET sends_per_day = 0 WHERE account = ${ctx.account.number}`)
  const { id } = await submit(ctx, mailTo(ctx.address, ['dead@y.test']))
  expect(await statesOf(ctx, id)).toMatchObject({
    states: ['dead@y.test suppressed'],
    last_event: 'suppressed',
    due: null,
  })
  await expect(submit(ctx, mailTo(ctx.address, ['ok@y.test']))).rejects.toMatchObject({ code: 'daily_quota_exceeded' })
})

test('ready mail heeds the list too, and another account’s list is nothing to it', async () => {
  const [ctx, other] = [await makeAccount(world), await makeAccount(world)]
  await suppress(ctx, 'dead@y.test', 'bounce')
  const send = (from: Caller & { address: string }) => {
    const raw = new TextEncoder().encode(`From: ${from.address}\r\nSubject: x\r\n\r\nhi\r\n`)
    return submitRaw(from, { from: from.address, to: ['dead@y.test', 'DEAD@y.test'] }, raw)
  }
  expect((await statesOf(ctx, (await send(ctx)).id)).states).toEqual([
    'dead@y.test suppressed',
    'DEAD@y.test suppressed',
  ])
  expect((await statesOf(other, (await send(other)).id)).states).toEqual(['dead@y.test queued', 'DEAD@y.test queued'])
})

test('the list costs nothing to those who are clear of it: one batch; and three trips where somebody is on it', async () => {
  const ctx = await makeAccount(world)
  await suppress(ctx, 'dead@y.test', 'bounce')
  await submit(ctx, mailTo(ctx.address, ['ok@y.test']))
  const cost = async (to: string[]) => {
    Object.assign(world.tally, { trips: 0, written: 0, puts: 0 })
    await submit(ctx, mailTo(ctx.address, to))
    return { ...world.tally }
  }
  expect(await cost(['a@y.test', 'b@y.test'])).toMatchObject({ trips: 1, written: 7, puts: 1 })
  expect(await cost(['a@y.test', 'dead@y.test'])).toMatchObject({ trips: 3, written: 8, puts: 1 })
})

test('equal requests with one key make one mail, whoever is on the list, and a lost acknowledgement loses nothing', async () => {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const owner = await makeAccount(world)
  const ctx = { ...shaky.ctx, account: owner.account, access: owner.access }
  await suppress(owner, 'dead@y.test', 'bounce')
  const mail = mailTo(owner.address, ['ok@y.test', 'dead@y.test'])
  const once = { key: 'k'.repeat(64), body: 'b'.repeat(64) }
  const answers = await Promise.all(Array.from({ length: 10 }, () => submit(ctx, mail, once)))
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
  faults.batches = ['pass', 'lose-answer']
  const { id } = await submit(ctx, mail)
  expect((await statesOf(owner, id)).states).toEqual(['ok@y.test queued', 'dead@y.test suppressed'])
  expect((await eventsOf(owner, owner.account)).filter(({ type }) => type === 'email.suppressed')).toHaveLength(2)
})

test('an address that is suppressed while the mail is being stored is left out', async () => {
  const ctx = await makeAccount(world)
  let raced = false
  const racing: Caller = {
    ...ctx,
    stores: {
      ...ctx.stores,
      raw: new Proxy(ctx.stores.raw, {
        get(bucket, name) {
          const member: unknown = Reflect.get(bucket, name)
          if (typeof member !== 'function') return member
          return async (...given: unknown[]) => {
            const answer: unknown = await member.apply(bucket, given)
            if (name === 'put' && !raced) await suppress(ctx, 'dead@y.test', 'bounce')
            raced = true
            return answer
          }
        },
      }),
    },
  }
  const { id } = await submit(racing, mailTo(ctx.address, ['dead@y.test']))
  expect((await statesOf(ctx, id)).states).toEqual(['dead@y.test suppressed'])
})

test('a request may ask to be sent to those on the list too, if its key has the scope for it, and is not the same request then', async () => {
  const ctx = await makeAccount(world)
  await suppress(ctx, 'dead@y.test', 'bounce')
  const mail = mailTo(ctx.address, ['dead@y.test'])
  const once = { key: 'k'.repeat(64), body: 'b'.repeat(64) }
  const { id } = await submit(ctx, mail, once, true)
  expect(await statesOf(ctx, id)).toMatchObject({ states: ['dead@y.test queued'], due: world.ctx.now() })
  expect(await submit(ctx, mail, once, true)).toEqual({ id })
  await expect(submit(ctx, mail, once)).rejects.toMatchObject({ code: 'invalid_idempotent_request' })
  const scopes = new Set([...ctx.access.scopes].filter((scope) => scope !== 'suppressions:override'))
  const lesser = { ...ctx, access: { ...ctx.access, scopes } }
  await expect(submit(lesser, mail, undefined, true)).rejects.toMatchObject({ code: 'restricted_api_key' })
  await expect(submit(ctx, { ...mail, scheduled_at: 'in 1 hour' }, undefined, true)).rejects.toMatchObject({
    code: 'invalid_parameter',
  })
})
