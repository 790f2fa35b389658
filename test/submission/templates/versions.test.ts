import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { CreateTemplateBody } from '../../../src/contract/templates/shapes.ts'
import { createTemplate, publishTemplate, updateTemplate } from '../../../src/submission/templates/edit.ts'
import { makeAccount, makeWorld } from '../../support/world.ts'

test('the last hundred versions are kept, and what is sent is among them', async () => {
  const ctx = await makeAccount(await makeWorld())
  const { id } = await createTemplate(ctx, CreateTemplateBody.parse({ name: 'T', html: '0' }))
  const publish = async (times: number) => {
    for (let at = 0; at < times; at++) {
      await updateTemplate(ctx, id, { html: `<p>${at}</p>` })
      await publishTemplate(ctx, id)
    }
  }
  const kept = async () => {
    const [row] = await ctx.stores.directory.all<{ count: number; first: number; last: number }>(
      sql`SELECT COUNT(*) AS count, MIN(version) AS first, MAX(version) AS last FROM template_versions
        WHERE account = ${ctx.account.number} AND template = ${id}`,
    )
    return row
  }
  await publish(3)
  // As if it had been published a hundred times by now.
  await ctx.stores.directory.run(sql`UPDATE templates SET version = 100 WHERE id = ${id}`)
  await publish(2)
  expect(await kept()).toEqual({ count: 3, first: 3, last: 102 })
})
