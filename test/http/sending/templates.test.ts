import { Resend } from 'resend'
import { expect, onTestFinished, test, vi } from 'vitest'
import { call } from '../../support/api.ts'
import { json, makeMailer } from '../mail.ts'

const { key, address, domain } = await makeMailer()

const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
  call('POST', path, { key, body, headers })
const get = (path: string) => json(call('GET', path, { key }))
const make = async (body: Record<string, unknown>) =>
  String((await json(post('/templates', { name: 'T', html: '<p>{{NAME}}</p>', ...body }))).id)

async function refusal(answer: Promise<Response>) {
  const response = await answer
  return { status: response.status, ...Object(await response.json()) }
}

/** Resend's own client, whose requests reach our Worker instead of the network. */
function client(): Resend {
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const headers = Object.fromEntries(new Headers(init.headers))
    const { pathname, search } = new URL(url)
    return call(init.method ?? 'GET', pathname + search, { headers, body: init.body ?? undefined })
  })
  onTestFinished(() => void vi.unstubAllGlobals())
  return new Resend(key, { baseUrl: 'http://localhost' })
}

test('Resend’s client makes, publishes, reads, changes, copies, lists and removes a template', async () => {
  const { templates } = client()
  const made = await templates.create({
    name: 'Welcome',
    alias: 'welcome',
    subject: 'Hello {{{NAME}}}',
    from: `Me <${address}>`,
    replyTo: `r@${domain}`,
    html: '<p>{{{NAME}}} {{{COUNT}}}</p>',
    variables: [
      { key: 'NAME', type: 'string', fallbackValue: 'there' },
      { key: 'COUNT', type: 'number' },
    ],
  })
  expect(made).toMatchObject({ error: null, data: { object: 'template', id: expect.any(String) } })
  const id = made.data?.id ?? ''
  const draft = await templates.get('welcome')
  expect(draft).toMatchObject({
    error: null,
    data: {
      object: 'template',
      id,
      name: 'Welcome',
      alias: 'welcome',
      status: 'draft',
      published_at: null,
      subject: 'Hello {{{NAME}}}',
      reply_to: [`r@${domain}`],
      text: null,
      has_unpublished_versions: true,
      variables: [
        { key: 'NAME', type: 'string', fallback_value: 'there' },
        { key: 'COUNT', type: 'number', fallback_value: null },
      ],
    },
  })
  expect(await templates.publish(id)).toMatchObject({ error: null, data: { object: 'template', id } })
  expect(await templates.get(id)).toMatchObject({
    data: { status: 'published', has_unpublished_versions: false, published_at: expect.any(String) },
  })
  expect(await templates.update('welcome', { html: '<b>{{{NAME}}}</b>' })).toMatchObject({ error: null, data: { id } })
  const changed = await templates.get(id)
  expect(changed).toMatchObject({
    data: { html: '<b>{{{NAME}}}</b>', subject: 'Hello {{{NAME}}}', has_unpublished_versions: true },
  })
  expect(changed.data?.current_version_id).not.toBe(draft.data?.current_version_id)
  const copy = await templates.duplicate(id).publish()
  expect(copy).toMatchObject({ error: null, data: { object: 'template' } })
  const all = await templates.list({ limit: 1 })
  expect(all).toMatchObject({
    error: null,
    data: { has_more: true, data: [{ id: copy.data?.id, name: 'Welcome (copy)', alias: null, status: 'published' }] },
  })
  expect(await templates.list({ after: copy.data?.id ?? '' })).toMatchObject({ data: { data: [{ id }] } })
  expect(await templates.remove('welcome')).toMatchObject({
    error: null,
    data: { object: 'template', id, deleted: true },
  })
  expect(await templates.get(id)).toMatchObject({ data: null, error: { name: 'not_found', statusCode: 404 } })
})

test('Resend’s client sends by a template, one mail or a batch of them, and is told each variable that is missing', async () => {
  const { emails, batch, templates } = client()
  const html = '<p>{{{NAME}}}</p>'
  const made = await templates
    .create({ name: 'Sent', alias: 'sent', subject: 'Hello {{{NAME}}}', from: `Me <${address}>`, html })
    .publish()
  expect(made).toMatchObject({ error: null })
  const mail = { to: 'you@y.test', template: { id: 'sent', variables: { NAME: 'Ann' } } }
  const sent = await emails.send(mail)
  expect(sent).toMatchObject({ error: null, data: { id: expect.any(String) } })
  expect(await emails.get(sent.data?.id ?? '')).toMatchObject({
    data: { subject: 'Hello Ann', from: `Me <${address}>`, html: expect.stringContaining('<p>Ann</p>') },
  })
  const both = await batch.send([mail, { ...mail, subject: 'Mine' }])
  expect(both).toMatchObject({ error: null, data: { data: [{}, {}] } })
  expect(await emails.get(both.data?.data[1]?.id ?? '')).toMatchObject({ data: { subject: 'Mine' } })
  expect(await emails.send({ ...mail, template: { id: 'sent' } })).toMatchObject({
    error: {
      statusCode: 422,
      name: 'missing_required_field',
      message: 'Missing template variable: `template.variables.NAME`.',
    },
  })
})

test('a key that may only send does so by templates, and sees none', async () => {
  await json(post(`/templates/${await make({ alias: 'by-sender', from: address, subject: 's' })}/publish`))
  const { token } = await json(post('/api-keys', { name: 's', permission: 'sending_access' }))
  const asSender = (method: string, path: string, body?: unknown) => call(method, path, { key: String(token), body })
  const template = { id: 'by-sender', variables: { NAME: 'x' } }
  await json(asSender('POST', '/emails', { to: 'you@y.test', template }))
  expect((await asSender('GET', '/templates/by-sender')).status).toBe(401)
  expect((await asSender('POST', '/templates/by-sender/render', { variables: { NAME: 'x' } })).status).toBe(401)
})

test('an alias is one template’s of the account, and can be given up', async () => {
  const id = await make({ alias: 'taken' })
  expect(await refusal(post('/templates', { name: 'x', html: 'x', alias: 'taken' }))).toMatchObject({
    status: 422,
    fields: [{ path: 'alias' }],
  })
  const other = await make({ alias: 'free' })
  expect(await refusal(call('PATCH', `/templates/${other}`, { key, body: { alias: 'taken' } }))).toMatchObject({
    status: 422,
    fields: [{ path: 'alias' }],
  })
  await json(call('PATCH', `/templates/${id}`, { key, body: { alias: null } }))
  await json(call('PATCH', `/templates/${other}`, { key, body: { alias: 'taken' } }))
  expect(await get('/templates/taken')).toMatchObject({ id: other })
  const stranger = await makeMailer()
  await json(call('POST', '/templates', { key: stranger.key, body: { name: 'x', html: 'x', alias: 'taken' } }))
})

test('what cannot be a template is refused by field', async () => {
  const variables = [{ key: 'A', type: 'number', fallback_value: 'x' }]
  for (const [body, path] of [
    [{ html: 'x' }, 'name'],
    [{ name: 'x' }, 'html'],
    [{ name: 'x', html: 'x', alias: '01919b1e-7c4a-7e10-8f3a-5b0c6d7e8f90' }, 'alias'],
    [{ name: 'x', html: 'x', subject: 'a\r\nBcc: b' }, 'subject'],
    [{ name: 'x', html: 'x', variables }, 'variables[0].fallback_value'],
    [{ name: 'x', html: 'x', variables: [{ key: 'FIRST_NAME', type: 'string' }] }, 'variables[0].key'],
    [
      {
        name: 'x',
        html: 'x',
        variables: [
          { key: 'A', type: 'string' },
          { key: 'A', type: 'number' },
        ],
      },
      'variables',
    ],
    [{ name: 'x', html: 'x', react: {} }, 'react'],
  ] as const) {
    expect(await refusal(post('/templates', body)), path).toMatchObject({ status: 422, fields: [{ path }] })
  }
  expect(await refusal(post('/templates', { name: 'x', html: 'é'.repeat(250_000) }))).toMatchObject({ status: 413 })
})

test('equal requests under one idempotency key make one template', async () => {
  const headers = { 'idempotency-key': 'one' }
  const body = { name: 'Once', html: 'x' }
  const answers = await Promise.all([1, 2, 3].map(() => json(post('/templates', body, headers))))
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
  const copies = await Promise.all(
    [1, 2].map(() => json(post(`/templates/${answers[0]?.id}/duplicate`, undefined, headers))),
  )
  expect(copies[0]?.id).toBe(copies[1]?.id)
  expect(copies[0]?.id).not.toBe(answers[0]?.id)
})

test('edits of one draft at once all hold', async () => {
  const id = await make({})
  const edits = [{ subject: 's' }, { text: 't' }, { html: 'h' }, { name: 'n' }]
  await Promise.all(edits.map((body) => json(call('PATCH', `/templates/${id}`, { key, body }))))
  expect(await get(`/templates/${id}`)).toMatchObject({ subject: 's', text: 't', html: 'h', name: 'n' })
})

test('a version is counted when something new is published', async () => {
  const id = await make({})
  for (const version of [0, 1, 1]) {
    expect(await get(`/templates/${id}`)).toMatchObject({ version })
    await json(post(`/templates/${id}/publish`))
  }
  await json(call('PATCH', `/templates/${id}`, { key, body: { html: 'new' } }))
  await json(post(`/templates/${id}/publish`))
  expect(await get(`/templates/${id}`)).toMatchObject({ version: 2, html: 'new' })
})

test('rendering shows the draft, or what is published, and sends nothing', async () => {
  const id = await make({ subject: 'To {{NAME}}', text: '{{NAME}}' })
  const render = (body: unknown) => post(`/templates/${id}/render`, body)
  const before = await get('/emails')
  expect(await refusal(render({ version: 'published', variables: { NAME: 'x' } }))).toMatchObject({ status: 404 })
  expect(await json(render({ variables: { NAME: '<Ann>' } }))).toEqual({
    object: 'template',
    id,
    version: 'draft',
    subject: 'To <Ann>',
    from: null,
    reply_to: null,
    html: '<p>&lt;Ann&gt;</p>',
    text: '<Ann>',
  })
  await json(post(`/templates/${id}/publish`))
  await json(call('PATCH', `/templates/${id}`, { key, body: { html: 'new' } }))
  expect(await json(render({ version: 'published', variables: { NAME: 'x' } }))).toMatchObject({ html: '<p>x</p>' })
  expect(await json(render({ variables: { NAME: 'x' } }))).toMatchObject({ html: 'new' })
  expect(await refusal(render({}))).toMatchObject({
    status: 422,
    name: 'missing_required_field',
    fields: [{ path: 'variables.NAME' }],
  })
  expect(await get('/emails')).toEqual(before)
})
