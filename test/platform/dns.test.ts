import { expect, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { makeLookUp } from '../../src/platform/dns.ts'

type Answer = { Status: number; Answer?: { name: string; type: number; data: string }[] }

/** A resolver that answers so; what it does not know of does not exist. */
function lookUpOf(answers: Record<string, Answer | Response | 'silent'>) {
  const fetch = async (url: string) => {
    const { searchParams } = new URL(url)
    const answer = answers[`${searchParams.get('name')} ${searchParams.get('type')}`]
    if (answer === 'silent') throw new TypeError('the network is gone')
    return answer instanceof Response ? answer : Response.json(answer ?? { Status: 3 })
  }
  return makeLookUp('https://dns.example/dns-query?key=1', { fetch })
}

const of = (type: number, ...data: string[]): Answer => ({
  Status: 0,
  Answer: data.map((each) => ({ name: 'x', type, data: each })),
})

test('the strings of a text are joined, whatever form the resolver writes them in', async () => {
  const look = lookUpOf({
    'a.test 16': of(16, '"v=DKIM1; k=rsa; p=AB" "CD"', 'plain text', '"a\\"b\\\\c\\;\\195\\164"', '""'),
  })
  expect(await look('a.test', 'TXT')).toEqual({
    kind: 'records',
    values: ['v=DKIM1; k=rsa; p=ABCD', 'plain text', 'a"b\\c;Ã¤', ''],
  })
})

test('MX hosts come in lower case and without the dot, null ones too', async () => {
  const look = lookUpOf({ 'a.test 15': of(15, '10 MX.Example.COM.', '0 .') })
  expect(await look('a.test', 'MX')).toEqual({ kind: 'records', values: ['10 mx.example.com', '0 '] })
})

test('aliases are followed, by the server or by us, and one that goes round is trouble', async () => {
  const chain: Answer = { Status: 0, Answer: [...(of(5, 'b.test.').Answer ?? []), ...(of(16, '"found"').Answer ?? [])] }
  const look = lookUpOf({
    'whole.test 16': chain,
    'part.test 16': of(5, 'target.test.'),
    'target.test 16': of(16, '"there"'),
    'dead.test 16': of(5, 'nowhere.test.'),
    'round.test 16': of(5, 'round.test.'),
  })
  expect(await look('whole.test', 'TXT')).toEqual({ kind: 'records', values: ['found'] })
  expect(await look('part.test', 'TXT')).toEqual({ kind: 'records', values: ['there'] })
  expect(await look('dead.test', 'TXT')).toEqual({ kind: 'none' })
  expect(await look('round.test', 'TXT')).toMatchObject({ kind: 'trouble' })
})

test('what does not exist is told apart from what nobody answered for', async () => {
  const look = lookUpOf({
    'empty.test 16': { Status: 0 },
    'other.test 16': of(46, 'a signature'),
    'servfail.test 16': { Status: 2 },
    'refused.test 16': { Status: 5 },
    'down.test 16': new Response('', { status: 502 }),
    'html.test 16': new Response('<html>'),
    'huge.test 16': new Response(`"${'x'.repeat(70_000)}"`),
    'silent.test 16': 'silent',
  })
  for (const name of ['missing', 'empty', 'other']) {
    expect(await look(`${name}.test`, 'TXT'), name).toEqual({ kind: 'none' })
  }
  for (const name of ['servfail', 'refused', 'down', 'html', 'huge', 'silent']) {
    expect(await look(`${name}.test`, 'TXT'), name).toMatchObject({ kind: 'trouble' })
  }
})

test('only a local copy takes a resolver without TLS, only on loopback, and then looks domains up', () => {
  const secrets = { ADMIN_KEY: 'a'.repeat(32), SECRET: 's'.repeat(32) }
  const read = (LOCAL: string, DOH_URL?: string) => readConfig({ ...secrets, LOCAL, ...(DOH_URL ? { DOH_URL } : {}) })
  expect(read('true').checksDomains).toBe(false)
  expect(read('false').checksDomains).toBe(true)
  expect(read('true', 'http://127.0.0.1:8053/q')).toMatchObject({
    DOH_URL: 'http://127.0.0.1:8053/q',
    checksDomains: true,
  })
  expect(read('true', 'http://[::1]:8053/q').checksDomains).toBe(true)
  for (const [local, url] of [
    ['false', 'http://127.0.0.1:8053/q'],
    ['true', 'http://dns.example/q'],
    ['true', 'http://127.0.0.1.dns.example/q'],
    ['false', 'ftp://dns.example/q'],
  ] as const) {
    expect(() => read(local, url), url).toThrow(/DOH_URL/)
  }
})

test('a deployed copy greets by its own name, and has mail sent to Cloudflare unless it is told of a host', () => {
  const secrets = { ADMIN_KEY: 'a'.repeat(32), SECRET: 's'.repeat(32), PUBLIC_URL: 'https://mail.example.com' }
  const read = (more: Record<string, string>) => readConfig({ ...secrets, ...more })
  expect(read({})).toMatchObject({ MAIL_HOST: 'mail.example.com', mxHost: 'route1.mx.cloudflare.net' })
  const given = { MAIL_HOST: 'mx.example.com' }
  expect(read(given)).toMatchObject({ MAIL_HOST: 'mx.example.com', mxHost: 'mx.example.com' })
  expect(read({ LOCAL: 'true' })).toMatchObject({ MAIL_HOST: 'pochta.localhost', mxHost: 'pochta.localhost' })
  expect(() => read({ MAIL_HOST: 'not a host' })).toThrow(/MAIL_HOST/)
})
