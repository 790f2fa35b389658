import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { CreateTemplateBody } from '../../../src/contract/templates/shapes.ts'
import { runBatch } from '../../../src/store/mail/change.ts'
import {
  createTemplate,
  duplicateTemplate,
  publishTemplate,
  updateTemplate,
} from '../../../src/submission/templates/edit.ts'
import { getTemplate, listTemplates } from '../../../src/submission/templates/show.ts'
import { noFaults } from '../../support/faults.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'

const world = await makeWorld()

const body = (more: Record<string, unknown> = {}) => CreateTemplateBody.parse({ name: 'T', html: '<p>', ...more })

test('making one is a batch of one row, and one for its alias; a page of them is one query', async () => {
  const ctx = await makeAccount(world)
  Object.assign(world.tally, { trips: 0, written: 0 })
  const { id } = await createTemplate(ctx, body())
  expect(world.tally).toMatchObject({ trips: 1, written: 1 })
  await createTemplate(ctx, body({ alias: 'a' }))
  expect(world.tally).toMatchObject({ trips: 2, written: 3 })
  await listTemplates(ctx, { limit: 20 })
  expect(world.tally).toMatchObject({ trips: 3, written: 3 })
  await publishTemplate(ctx, id)
  expect(world.tally).toMatchObject({ trips: 5, written: 5 })
})

test('a lost acknowledgement is a success, and makes one template', async () => {
  const faults = noFaults()
  const shaky = await makeWorld({ faults })
  const owner = await makeAccount(world)
  const ctx = { ...shaky.ctx, account: owner.account, access: owner.access }
  faults.batches = ['lose-answer']
  const once = { key: 'k'.repeat(64), body: 'b'.repeat(64) }
  const { id } = await createTemplate(ctx, body({ alias: 'a' }), once)
  expect(await createTemplate(ctx, body({ alias: 'a' }), once)).toMatchObject({ id })
  expect((await listTemplates(ctx, { limit: 20 })).data).toMatchObject([{ id }])
  faults.batches = ['fail', 'fail', 'fail']
  await expect(createTemplate(ctx, body())).rejects.toMatchObject({ code: 'service_unavailable' })
})

test('an account has a thousand at most, and one that is closed gains and changes none', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createTemplate(ctx, body())
  const { number } = ctx.account
  await runBatch(ctx.stores.directory, [
    sql`INSERT INTO templates (account, id, name, version, draft_version, created_at, updated_at, draft)
      SELECT ${number}, 'x' || value, 'T', 0, 'd', 1, 1, '{}' FROM json_each(${JSON.stringify([...Array(999).keys()])})`,
  ])
  await expect(createTemplate(ctx, body())).rejects.toMatchObject({ code: 'validation_error' })
  await runBatch(ctx.stores.directory, [
    sql`DELETE FROM templates WHERE account = ${number} AND name = 'T' AND id <> ${id}`,
  ])
  await runBatch(ctx.stores.directory, [sql`UPDATE counters SET state = 'closing' WHERE account = ${number}`])
  await expect(createTemplate(ctx, body())).rejects.toMatchObject({ code: 'not_found' })
  await expect(publishTemplate(ctx, id)).rejects.toMatchObject({ code: 'not_found' })
  await expect(updateTemplate(ctx, id, { html: 'new' })).rejects.toMatchObject({ code: 'service_unavailable' })
  expect(await getTemplate(ctx, id)).toMatchObject({ html: '<p>', version: 0 })
})

test('an edit changes what it names: null empties, a new name is no new version, and a variable keeps its birth', async () => {
  const ctx = await makeAccount(world)
  const variables = [
    { key: 'A', type: 'string' as const, fallback_value: 'a' },
    { key: 'B', type: 'number' as const },
  ]
  const { id } = await createTemplate(ctx, body({ subject: 's', text: 't', reply_to: 'r@y.test', variables }))
  const made = await getTemplate(ctx, id)
  await publishTemplate(ctx, id)
  world.pass(1000)
  await updateTemplate(ctx, id, { name: 'N', alias: 'n' })
  expect(await getTemplate(ctx, 'n')).toMatchObject({ name: 'N', has_unpublished_versions: false })
  await updateTemplate(ctx, id, {
    text: null,
    reply_to: null,
    variables: [
      ...variables.slice(0, 1),
      { key: 'B', type: 'number', fallback_value: 1 },
      { key: 'C', type: 'string' },
    ],
  })
  const changed = await getTemplate(ctx, id)
  expect(changed).toMatchObject({ subject: 's', text: null, reply_to: null, has_unpublished_versions: true })
  const [born, now] = [made.created_at, changed.updated_at]
  expect(changed.variables).toMatchObject([
    { key: 'A', created_at: born, updated_at: born },
    { key: 'B', created_at: born, updated_at: now },
    { key: 'C', created_at: now, updated_at: now },
  ])
})

test('a copy of a template with the longest name has a name that fits', async () => {
  const ctx = await makeAccount(world)
  const { id } = await createTemplate(ctx, body({ name: 'n'.repeat(255) }))
  const copy = await getTemplate(ctx, (await duplicateTemplate(ctx, id)).id)
  expect(copy.name).toHaveLength(255)
  expect(copy.name).toMatch(/n \(copy\)$/)
})
