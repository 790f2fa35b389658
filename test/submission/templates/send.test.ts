import { expect, test } from 'vitest'
import type { Caller } from '../../../src/context.ts'
import { SendEmailBody } from '../../../src/contract/emails.ts'
import { CreateTemplateBody } from '../../../src/contract/templates/shapes.ts'
import { submitBatch } from '../../../src/submission/batch.ts'
import { preview } from '../../../src/submission/preview.ts'
import { submit } from '../../../src/submission/submit.ts'
import { createTemplate, publishTemplate, updateTemplate } from '../../../src/submission/templates/edit.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'

const world = await makeWorld()

const mail = (more: Record<string, unknown>) => SendEmailBody.parse({ to: 'you@y.test', ...more })

async function makeTemplate(ctx: Caller & { address: string }, more: Record<string, unknown> = {}): Promise<string> {
  const body = CreateTemplateBody.parse({
    name: 'Order',
    alias: 'order',
    subject: 'Order {{ID}}',
    from: `{{SHOP}} <${ctx.address}>`,
    reply_to: [ctx.address],
    html: '<p>{{NAME}} {{{NAME}}}</p>',
    text: 'To {{NAME}}',
    variables: [
      { key: 'ID', type: 'number' },
      { key: 'SHOP', type: 'string', fallback_value: 'Shop' },
    ],
    ...more,
  })
  const { id } = await createTemplate(ctx, body)
  await publishTemplate(ctx, id)
  return id
}

const textOf = async (ctx: Caller, body: SendEmailBody) => new TextDecoder().decode(await preview(ctx, body))

test('a mail by a template has its texts with the values in them', async () => {
  const ctx = await makeAccount(world)
  const id = await makeTemplate(ctx)
  const variables = { ID: 7, NAME: '<Ann>' }
  for (const name of [id, 'order']) {
    const text = await textOf(ctx, mail({ template: { id: name, variables } }))
    expect(text).toContain('\r\nSubject: Order 7\r\n')
    expect(text).toContain(`\r\nFrom: Shop <${ctx.address}>\r\n`)
    expect(text).toContain(`\r\nReply-To: ${ctx.address}\r\n`)
    expect(text).toContain('<p>&lt;Ann&gt; <Ann></p>')
    expect(text).toContain('To <Ann>')
  }
})

test('what the request gives goes before the template’s, and asks for none of its variables', async () => {
  const ctx = await makeAccount(world)
  await makeTemplate(ctx, { variables: [], html: '<p>x</p>', text: null })
  const own = { from: `Me <${ctx.address}>`, subject: 'Mine', reply_to: 'me@y.test', template: { id: 'order' } }
  const text = await textOf(ctx, mail(own))
  expect(text).toContain('\r\nSubject: Mine\r\n')
  expect(text).toContain('\r\nFrom: Me <')
  expect(text).toContain('\r\nReply-To: me@y.test\r\n')
  const empty = mail({
    ...own,
    from: '',
    subject: '',
    html: '',
    template: { id: 'order', variables: { SHOP: 'S', ID: 1 } },
  })
  expect(await textOf(ctx, empty)).toContain('\r\nSubject: Order 1\r\n')
})

test('a draft is not sent, and an edit is sent once it is published', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createTemplate(ctx, CreateTemplateBody.parse({ name: 'T', html: '<p>old</p>' }))
  const body = mail({ from: ctx.address, subject: 's', template: { id } })
  await expect(submit(ctx, body)).rejects.toMatchObject({
    code: 'validation_error',
    detail: { fields: [{ path: 'template.id' }] },
  })
  await publishTemplate(ctx, id)
  await updateTemplate(ctx, id, { html: '<p>new</p>' })
  expect(await textOf(ctx, body)).toContain('<p>old</p>')
  await publishTemplate(ctx, id)
  expect(await textOf(ctx, body)).toContain('<p>new</p>')
})

test('what cannot be sent by a template is refused, and every variable at fault is named', async () => {
  const ctx = await makeAccount(world)
  const stranger = await makeAccount(world)
  const id = await makeTemplate(ctx)
  const by = (template: Record<string, unknown>, more: Record<string, unknown> = {}) =>
    submit(ctx, mail({ template, ...more }))
  const fields = (...paths: string[]) => ({ detail: { fields: paths.map((path) => ({ path })) } })
  await expect(by({ id })).rejects.toMatchObject({
    code: 'missing_required_field',
    ...fields('template.variables.ID', 'template.variables.NAME'),
  })
  await expect(by({ id, variables: { ID: '7', NAME: 'x', SHOP: 'a\r\nBcc: b@y.test' } })).rejects.toMatchObject({
    code: 'validation_error',
    ...fields('template.variables.ID', 'template.variables.SHOP'),
  })
  await expect(by({ id }, { html: 'x', text: 'x' })).rejects.toMatchObject({
    code: 'validation_error',
    ...fields('html', 'text'),
  })
  await expect(by({ id: 'none' })).rejects.toMatchObject({ code: 'not_found', ...fields('template.id') })
  await expect(submit(stranger, mail({ template: { id } }))).rejects.toMatchObject({ code: 'not_found' })
  const variables = { ID: 7, NAME: 'x', SHOP: '<evil@stranger.test>, x' }
  await expect(by({ id, variables })).rejects.toMatchObject({ code: 'invalid_from_address' })
  const { id: bare } = await createTemplate(ctx, CreateTemplateBody.parse({ name: 'T', html: '<p>' }))
  await publishTemplate(ctx, bare)
  await expect(by({ id: bare })).rejects.toMatchObject({ code: 'missing_required_field', ...fields('from', 'subject') })
})

test('without a template a mail needs from and subject as before, and all that is missing is told', () => {
  const missing = SendEmailBody.safeParse({}).error?.issues.map(({ path }) => path.join('.'))
  expect(missing?.sort()).toEqual(['from', 'subject', 'to'])
  expect(SendEmailBody.safeParse({ from: null, to: 'a@b.test', subject: null }).error?.issues).toHaveLength(2)
})

test('a mail by a template costs one read more, and a batch of them one altogether', async () => {
  const ctx = await makeAccount(world)
  const id = await makeTemplate(ctx)
  const body = mail({ template: { id, variables: { ID: 7, NAME: 'x' } } })
  await submit(ctx, body)
  Object.assign(world.tally, { trips: 0, written: 0, puts: 0 })
  await submit(ctx, body)
  expect(world.tally).toMatchObject({ trips: 2, written: 7, puts: 1 })
  Object.assign(world.tally, { trips: 0 })
  await submitBatch(ctx, [body, body, body], 'strict')
  expect(world.tally).toMatchObject({ trips: 2 })
})
