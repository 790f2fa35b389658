import { beforeAll, expect, test } from 'vitest'
import { call } from '../../support/api.ts'
import { json, type Mailer, makeMailer } from '../mail.ts'

let me: Mailer

beforeAll(async () => {
  me = await makeMailer()
})

const ask = (method: string, path: string, body?: unknown) => call(method, path, { key: me.key, body })

/** A template published as often as it has texts; answers its id. */
async function published(texts: string[], more: Record<string, unknown> = {}): Promise<string> {
  const { id } = await json(ask('POST', '/templates', { name: 'T', subject: 's', html: '<p>-</p>', ...more }))
  for (const text of texts) {
    await json(ask('PATCH', `/templates/${id}`, { text }))
    await json(ask('POST', `/templates/${id}/publish`))
  }
  return String(id)
}

const versionsOf = async (id: string, query = '') => {
  const { data, has_more } = await json(ask('GET', `/templates/${id}/versions${query}`))
  return { data: Array.isArray(data) ? data : [], has_more }
}

const send = (template: unknown) => ask('POST', '/emails', { from: me.address, to: 'delivered@resend.dev', template })

test('what was published is kept under its number; publishing again unchanged makes no version', async () => {
  const id = await published(['one', 'two', 'three'], { alias: 'kept' })
  await json(ask('POST', `/templates/${id}/publish`))
  const { data, has_more } = await versionsOf('kept')
  expect([has_more, data.map(({ version, is_current }) => [version, is_current])]).toEqual([
    false,
    [
      [3, true],
      [2, false],
      [1, false],
    ],
  ])
  expect(Object.keys(data[0])).toEqual(['id', 'version', 'published_at', 'is_current'])
  const page = await versionsOf(id, `?limit=1&after=${data[0].id}`)
  expect([page.has_more, page.data]).toEqual([true, [data[1]]])
  expect(await json(ask('GET', '/templates/kept/versions/2'))).toMatchObject({
    object: 'template_version',
    template_id: id,
    version: 2,
    subject: 's',
    text: 'two',
    variables: [],
  })
  for (const number of ['0', '4', '-1', '02', '2.0', 'x', '99999999999']) {
    expect((await ask('GET', `/templates/kept/versions/${number}`)).status, number).toBe(404)
  }
})

test('a restored version is the draft, and is sent once it is published', async () => {
  const id = await published(['one', 'two'])
  expect(await json(ask('POST', `/templates/${id}/versions/1/restore`))).toEqual({ object: 'template', id })
  const draft = await json(ask('GET', `/templates/${id}`))
  expect(draft).toMatchObject({ text: 'one', has_unpublished_versions: true, version: 2 })
  await json(ask('POST', `/templates/${id}/versions/1/restore`))
  expect((await json(ask('GET', `/templates/${id}`))).current_version_id).toBe(draft.current_version_id)
  expect(await json(ask('POST', `/templates/${id}/render`, { version: 'published' }))).toMatchObject({ text: 'two' })
  await json(ask('POST', `/templates/${id}/publish`))
  expect((await versionsOf(id)).data.map(({ version }) => version)).toEqual([3, 2, 1])
  expect((await ask('POST', `/templates/${id}/versions/9/restore`)).status).toBe(404)
})

test('a mail, and a preview, may name the version; one that is not kept is refused by name', async () => {
  const id = await published(['one', 'two'])
  const textOf = async (answer: Response) => {
    const { id: mail } = await json(Promise.resolve(answer))
    return String((await json(ask('GET', `/emails/${mail}`))).text).trim()
  }
  expect(await textOf(await send({ id, version: 1 }))).toBe('one')
  expect(await textOf(await send({ id }))).toBe('two')
  expect(await json(ask('POST', `/templates/${id}/render`, { version: 1 }))).toMatchObject({ version: 1, text: 'one' })
  const gone = await send({ id, version: 3 })
  expect([gone.status, await gone.json()]).toMatchObject([404, { fields: [{ path: 'template.version' }] }])
  expect((await send({ id, version: 0 })).status).toBe(422)
  const both = [1, 2].map((version) => ({
    from: me.address,
    to: 'delivered@resend.dev',
    template: { id, version },
  }))
  const { data } = await json(ask('POST', '/emails/batch', both))
  const sent = Array.isArray(data) ? data : []
  const texts = sent.map(async (one) => String((await json(ask('GET', `/emails/${one.id}`))).text).trim())
  expect(await Promise.all(texts)).toEqual(['one', 'two'])
})

test('a template that is deleted takes its versions with it', async () => {
  const id = await published(['one'], { alias: 'short-lived' })
  await json(ask('DELETE', `/templates/${id}`))
  expect((await ask('GET', `/templates/${id}/versions/1`)).status).toBe(404)
  const again = await published(['other'], { alias: 'short-lived' })
  expect((await versionsOf(again)).data).toHaveLength(1)
})
