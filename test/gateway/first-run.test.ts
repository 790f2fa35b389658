import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Answer, Api, Call } from '../../src/gateway/api.ts'
import { provision } from '../../src/gateway/first-run.ts'
import { openHome } from '../../src/gateway/home.ts'

function makeHome() {
  const folder = mkdtempSync(join(tmpdir(), 'pochta-first-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return openHome(folder)
}

/** A directory in memory, which answers a repeated Idempotency-Key as it did before. `failAt` counts the calls. */
class Directory {
  made: string[] = []
  answers = new Map<string, Answer>()
  keys = new Set<string>()
  accounts = new Set<string>()
  calls = 0
  failAt = Number.POSITIVE_INFINITY
  failAfterwards = false

  api: Api = async (method, path, call) => {
    const fails = ++this.calls === this.failAt
    if (fails && !this.failAfterwards) throw new Error('killed before')
    const answer = this.#answer(method, path, call)
    if (fails) throw new Error('killed after')
    return answer
  }

  #answer(method: string, path: string, call: Call): Answer {
    if (path.startsWith('/inbound/')) return { status: this.keys.has(call.key ?? '') ? 404 : 403, body: {} }
    if (call.key !== 'admin') return { status: 403, body: {} }
    if (method === 'GET') return { status: this.accounts.has(path.split('/')[2] ?? '') ? 200 : 404, body: {} }
    const known = this.answers.get(call.once ?? '')
    if (known) return known
    const answer = { status: 201, body: this.#make(path, call) }
    this.answers.set(call.once ?? '', answer)
    return answer
  }

  #make(path: string, call: Call): unknown {
    const number = this.made.push(`${path} ${JSON.stringify(call.json)} ${call.account ?? '-'}`)
    if (path === '/accounts') this.accounts.add(`account-${number}`)
    if (path === '/accounts') return { id: `account-${number}`, api_key: { id: '1', token: `re_${number}` } }
    if (path === '/api-keys') this.keys.add(`re_gateway_${number}`)
    return { id: String(number), token: `re_gateway_${number}` }
  }
}

const ALL = [
  '/accounts {"name":"Demo"} -',
  '/domains {"name":"demo.test"} account-1',
  '/addresses {"address":"hello@demo.test"} account-1',
  '/api-keys {"name":"gateway","permission":"inbound:write"} -',
]

const PROVISIONS = {
  account: 'account-1',
  domain: 'demo.test',
  address: 'hello@demo.test',
  apiKey: 're_1',
  gatewayKey: 're_gateway_4',
}

test('the first run makes everything once, and the second finds it', async () => {
  const directory = new Directory()
  const home = makeHome()
  expect(await provision(directory.api, 'admin', home)).toEqual(PROVISIONS)
  expect(await provision(directory.api, 'admin', home)).toEqual(PROVISIONS)
  expect(directory.made).toEqual(ALL)
  expect(statSync(join(home.folder, 'first-run.json')).mode & 0o777).toBe(0o600)
})

test('wherever a first run is cut off, the next one ends with each thing made once', async () => {
  for (const failAfterwards of [false, true]) {
    for (let failAt = 1; failAt <= 4; failAt++) {
      const directory = new Directory()
      const home = makeHome()
      Object.assign(directory, { failAt, failAfterwards })
      const killed: Api = async (...call) => {
        if (directory.calls >= failAt) return { status: 400, body: { message: 'killed' } }
        return directory.api(...call).catch(() => ({ status: 400, body: { message: 'killed' } }))
      }
      await expect(provision(killed, 'admin', home)).rejects.toThrow('killed')
      directory.failAt = Number.POSITIVE_INFINITY
      expect(await provision(directory.api, 'admin', home)).toEqual(PROVISIONS)
      expect(directory.made, `${failAt} ${failAfterwards}`).toEqual(ALL)
    }
  }
})

test('an answer that is lost is asked for again, and nothing is made twice', async () => {
  const directory = new Directory()
  Object.assign(directory, { failAt: 1, failAfterwards: true })
  expect(await provision(directory.api, 'admin', makeHome())).toEqual(PROVISIONS)
  expect(directory.made).toEqual(ALL)
})

test('where the state was thrown away, all is made anew', async () => {
  const home = makeHome()
  await provision(new Directory().api, 'admin', home)
  const fresh = new Directory()
  await provision(fresh.api, 'admin', home)
  expect(fresh.made).toEqual(ALL)
})

test('where the gateway’s key was deleted, it gets another, and nothing else is made', async () => {
  const directory = new Directory()
  const home = makeHome()
  await provision(directory.api, 'admin', home)
  directory.keys.clear()
  expect((await provision(directory.api, 'admin', home)).gatewayKey).toBe('re_gateway_5')
  expect(directory.made).toEqual([...ALL, ALL[3]])
})

test('a refusal is told with what the API says', async () => {
  const api: Api = async () => ({ status: 422, body: { message: 'no more accounts' } })
  await expect(provision(api, 'admin', makeHome())).rejects.toThrow('POST /accounts: 422 no more accounts')
})
