import { expect, test } from 'vitest'
import { Problem } from '../../src/base/problem.ts'
import type { GuardedRequest } from '../../src/context.ts'
import { SendEmailBody } from '../../src/contract/emails.ts'
import { preview } from '../../src/submission/preview.ts'
import { makeAccount, makeWorld } from '../support/world.ts'

/** An account on a network where a URL takes so long, and what was asked there. */
async function scene(takes = 0) {
  const asked: GuardedRequest[] = []
  const world = await makeWorld({
    net: {
      fetch: async (request) => {
        asked.push(request)
        world.pass(Math.min(takes, request.timeoutMs))
        if (takes > 0) return { kind: 'failed', reason: 'no whole answer', timeout: true }
        return { kind: 'answered', status: 200, headers: new Headers(), body: new TextEncoder().encode('hi') }
      },
    },
  })
  const ctx = await makeAccount(world)
  const mail = (more: Record<string, unknown>) =>
    SendEmailBody.parse({ from: ctx.address, to: 'you@y.test', subject: 's', text: 't', ...more })
  return { ctx, asked, mail }
}

async function faultsOf(work: Promise<unknown>): Promise<{ path: string; reason: string }[]> {
  try {
    await work
  } catch (error) {
    if (error instanceof Problem) return error.detail.fields ?? []
    throw error
  }
  return []
}

test('a file by URL has the name that the URL ends with, even where that is no proper encoding', async () => {
  const { ctx, mail, asked } = await scene()
  const paths = ['https://x.test/a%20b.txt', 'https://x.test/50%.txt']
  const bytes = await preview(ctx, mail({ attachments: [...paths, ...paths].map((path) => ({ path })) }))
  const mime = new TextDecoder().decode(bytes)
  expect(mime).toMatch(/filename="a b\.txt"/)
  expect(mime).toMatch(/filename="?50%\.txt/)
  expect(asked.map(({ url }) => url)).toEqual(paths)
})

test('URLs that give nothing hold a request for less than a minute, and each is told', async () => {
  const { ctx, mail, asked } = await scene(60_000)
  const before = ctx.now()
  const attachments = Array.from({ length: 20 }, (_, at) => ({ path: `https://x.test/${at}` }))
  const faults = await faultsOf(preview(ctx, mail({ attachments })))
  expect(faults).toHaveLength(20)
  expect(faults.at(-1)).toEqual({
    path: 'attachments[19].path',
    reason: 'could not be fetched: the URLs before it took too long',
  })
  expect(asked.length).toBeLessThan(5)
  expect(ctx.now() - before).toBeLessThan(60_000)
})

test('a header that stands twice in another case is refused by name', async () => {
  const { ctx, mail } = await scene()
  const headers = { References: '<1@x.test>', 'X-A': '1', references: '<2@x.test>', 'x-a': '2' }
  expect(await faultsOf(preview(ctx, mail({ headers })))).toEqual([
    { path: 'headers."references"', reason: 'stands twice' },
    { path: 'headers."x-a"', reason: 'stands twice' },
  ])
})
