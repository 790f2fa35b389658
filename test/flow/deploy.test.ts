import { expect, test } from 'vitest'
import { deploy } from '../../scripts/deploy-steps.ts'

function fakeWrangler(secretList: { ok: boolean; output: string }) {
  const calls: { line: string; secrets: string[] }[] = []
  const run = async (args: string[], secrets: Record<string, string> = {}) => {
    calls.push({ line: args.join(' '), secrets: Object.keys(secrets) })
    if (args[0] === 'secret') return secretList
    return { ok: true, output: 'Deployed pochta\n  https://pochta.me.workers.dev\n' }
  }
  return { calls, run }
}

test('a first deploy makes the secrets with the Worker, then the tables, then tells links where they begin', async () => {
  const { calls, run } = fakeWrangler({ ok: false, output: 'Worker "pochta" not found. [code: 10007]' })
  const { url, made } = await deploy(run, { RELAY_URL: 'smtps://u:p@relay.test' })
  expect(calls).toEqual([
    { line: 'secret list --format json', secrets: [] },
    { line: 'deploy --minify', secrets: ['ADMIN_KEY', 'SECRET', 'RELAY_URL'] },
    { line: 'd1 migrations apply DB --remote', secrets: [] },
    { line: 'd1 migrations apply SEARCH --remote', secrets: [] },
    { line: 'deploy --minify --var PUBLIC_URL:https://pochta.me.workers.dev', secrets: [] },
  ])
  expect(url).toBe('https://pochta.me.workers.dev')
  expect(made.ADMIN_KEY?.length).toBeGreaterThan(32)
})

test('a later deploy keeps the secrets, and has the tables ready before the code that needs them', async () => {
  const { calls, run } = fakeWrangler({ ok: true, output: '[{"name":"ADMIN_KEY"},{"name":"SECRET"}]' })
  expect((await deploy(run, {})).made).toEqual({})
  expect(calls.map((call) => call.line)).toEqual([
    'secret list --format json',
    'd1 migrations apply DB --remote',
    'deploy --minify',
    'd1 migrations apply SEARCH --remote',
  ])
})

test('no secret is made anew because wrangler could not be asked', async () => {
  const { run } = fakeWrangler({ ok: false, output: 'You are not logged in.' })
  await expect(deploy(run, {})).rejects.toThrow('not logged in')
})
