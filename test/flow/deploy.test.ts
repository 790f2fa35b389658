import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { deploy } from '../../scripts/deploy-steps.ts'
import { databasesIn } from '../../src/gateway/wrangler.ts'

const DATABASES = ['DB', 'MAIL_2', 'SEARCH']

function fakeWrangler(secretList: { ok: boolean; output: string }, missing = '') {
  const calls: { line: string; secrets: string[] }[] = []
  const run = async (args: string[], secrets: Record<string, string> = {}) => {
    calls.push({ line: args.join(' '), secrets: Object.keys(secrets) })
    if (args[0] === 'secret') return secretList
    const deployed = calls.some(({ line }) => line.startsWith('deploy'))
    if (missing && !deployed && args.includes(missing))
      return { ok: false, output: `Couldn't find a D1 DB named ${missing}` }
    return { ok: true, output: 'Deployed pochta\n  https://pochta.me.workers.dev\n' }
  }
  return { calls, run }
}

test('a first deploy makes the secrets with the Worker, then the tables, then tells links where they begin', async () => {
  const { calls, run } = fakeWrangler({ ok: false, output: 'Worker "pochta" not found. [code: 10007]' })
  const { url, made } = await deploy(run, DATABASES, { RELAY_URL: 'smtps://u:p@relay.test' })
  expect(calls).toEqual([
    { line: 'secret list --format json', secrets: [] },
    { line: 'deploy --minify', secrets: ['ADMIN_KEY', 'SECRET', 'RELAY_URL'] },
    ...DATABASES.map((name) => ({ line: `d1 migrations apply ${name} --remote`, secrets: [] })),
    { line: 'deploy --minify --var PUBLIC_URL:https://pochta.me.workers.dev', secrets: [] },
  ])
  expect(url).toBe('https://pochta.me.workers.dev')
  expect(made.ADMIN_KEY?.length).toBeGreaterThan(32)
})

test('every database of wrangler.toml is deployed', () => {
  expect(databasesIn(readFileSync('wrangler.toml', 'utf8'))).toEqual(['DB', 'MAIL_2', 'MAIL_3', 'SEARCH'])
})

test('a later deploy keeps the secrets, and has the tables ready before the code that needs them', async () => {
  const present = { ok: true, output: '[{"name":"ADMIN_KEY"},{"name":"SECRET"}]' }
  const { calls, run } = fakeWrangler(present, 'MAIL_2')
  expect((await deploy(run, DATABASES, {})).made).toEqual({})
  expect(calls.map((call) => call.line)).toEqual([
    'secret list --format json',
    'd1 migrations apply DB --remote',
    'd1 migrations apply MAIL_2 --remote',
    'd1 migrations apply SEARCH --remote',
    'deploy --minify',
    'd1 migrations apply MAIL_2 --remote',
  ])
})

test('no secret is made anew because wrangler could not be asked', async () => {
  const { run } = fakeWrangler({ ok: false, output: 'You are not logged in.' })
  await expect(deploy(run, DATABASES, {})).rejects.toThrow('not logged in')
})
