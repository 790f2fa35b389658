import { expect, test } from 'vitest'
import { Problem } from '../../src/base/problem.ts'
import { guardedNet } from '../../src/platform/guarded-fetch.ts'

type Call = { url: string; init: RequestInit | undefined }

/** A network in which names have these addresses, and whoever is called answers so. */
function network(
  names: Record<string, string[] | 'trouble' | 'silent'>,
  answer: (call: Call) => Response | Promise<Response> = () => new Response('ok'),
  settings = { local: false, ownHosts: ['mail.example.com'] },
) {
  const asked: string[] = []
  const called: Call[] = []
  let now = 0
  const fetch = async (url: string, init?: RequestInit) => {
    const { host, searchParams } = new URL(url)
    if (host !== 'cloudflare-dns.com') {
      called.push({ url, init })
      return answer({ url, init })
    }
    const name = searchParams.get('name') ?? ''
    asked.push(`${name} ${searchParams.get('type')}`)
    const known = names[name]
    if (known === 'trouble') return Response.json({ Status: 2 })
    if (known === 'silent') return new Promise<Response>(() => {})
    const of = (type: number) => (address: string) => ({ name, type, TTL: 60, data: address })
    const four = (known ?? []).filter((address) => !address.includes(':')).map(of(1))
    const six = (known ?? []).filter((address) => address.includes(':')).map(of(28))
    const records = searchParams.get('type') === '1' ? four : six
    const chain = [{ name, type: 5, TTL: 60, data: 'other.example.net.' }, ...records]
    return Response.json(known ? { Status: 0, Answer: chain } : { Status: 3 })
  }
  const net = guardedNet({ ...settings, resolver: 'https://cloudflare-dns.com/dns-query' }, { fetch, now: () => now })
  const pass = (ms: number) => {
    now += ms
  }
  return { net, asked, called, pass }
}

const post = (url: string) => ({
  url,
  method: 'POST' as const,
  headers: { 'x-a': 'b' },
  body: '{}',
  timeoutMs: 200,
  maxBytes: 10,
})

test('a public name is looked up in both families and called once, without following redirects', async () => {
  const { net, asked, called } = network({ 'hooks.example.org': ['93.184.216.34', '2606:2800:220:1::1'] })
  const answer = await net.fetch(post('https://hooks.example.org/x'))
  expect(answer).toMatchObject({ kind: 'answered', status: 200 })
  expect(asked).toEqual(['hooks.example.org 1', 'hooks.example.org 28'])
  expect(called).toMatchObject([
    { url: 'https://hooks.example.org/x', init: { method: 'POST', body: '{}', redirect: 'manual' } },
  ])
})

test('a redirect is an answer, and nobody goes where it points', async () => {
  const elsewhere = () => new Response(null, { status: 302, headers: { location: 'https://127.0.0.1/' } })
  const { net, called } = network({ 'hooks.example.org': ['93.184.216.34'] }, elsewhere)
  expect(await net.fetch(post('https://hooks.example.org/'))).toMatchObject({ kind: 'answered', status: 302 })
  expect(called).toHaveLength(1)
})

test.each([
  ['loopback', ['127.0.0.1']],
  ['link-local, where metadata is', ['169.254.169.254']],
  ['private', ['10.1.2.3']],
  ['private in one of two', ['93.184.216.34', '192.168.0.1']],
  ['private in the other family', ['93.184.216.34', 'fd00:ec2::254']],
  ['wrapped in IPv6', ['::ffff:10.0.0.1']],
  ['unreadable', ['999.1.1.1']],
])('a name whose address is %s is not called', async (_, addresses) => {
  const { net, called } = network({ 'rebind.example.org': addresses })
  const answer = await net.fetch(post('https://rebind.example.org/'))
  expect(answer).toMatchObject({ kind: 'refused', reason: expect.stringContaining('private') })
  expect(called).toEqual([])
})

test('a URL that its text condemns is neither looked up nor called', async () => {
  const { net, asked, called } = network({})
  for (const url of [
    'http://hooks.example.org/',
    'https://127.0.0.1/',
    'https://mail.example.com/',
    'https://u@h.example.org/',
  ])
    expect(await net.fetch(post(url)), url).toMatchObject({ kind: 'refused' })
  expect([...asked, ...called]).toEqual([])
})

test('a name that does not exist is refused; a resolver that fails says nothing of the name', async () => {
  const { net, called } = network({ 'broken.example.org': 'trouble' })
  expect(await net.fetch(post('https://nowhere.example.org/'))).toEqual({
    kind: 'refused',
    reason: 'the host has no address',
  })
  expect(await net.fetch(post('https://broken.example.org/'))).toMatchObject({ kind: 'failed', timeout: false })
  expect(called).toEqual([])
})

test('a look-up is used again for a minute, and trouble is not', async () => {
  const { net, asked, pass } = network({ 'hooks.example.org': ['93.184.216.34'], 'broken.example.org': 'trouble' })
  for (let times = 0; times < 3; times++) {
    await net.fetch(post('https://hooks.example.org/'))
    await net.fetch(post('https://broken.example.org/'))
  }
  expect(asked.filter((name) => name.startsWith('hooks'))).toHaveLength(2)
  expect(asked.filter((name) => name.startsWith('broken'))).toHaveLength(6)
  pass(60_000)
  await net.fetch(post('https://hooks.example.org/'))
  expect(asked.filter((name) => name.startsWith('hooks'))).toHaveLength(4)
})

test('a peer that never answers costs its time and no more, even where nobody heeds the signal', async () => {
  const { net } = network({ 'slow.example.org': ['93.184.216.34'] }, () => new Promise(() => {}))
  expect(await net.fetch(post('https://slow.example.org/'))).toMatchObject({ kind: 'failed', timeout: true })
})

test('a body that never ends in time is a timeout too, and so is a silent resolver', async () => {
  const drip = () => new Response(new ReadableStream({ start: (control) => control.enqueue(new Uint8Array(1)) }))
  const { net } = network({ 'drip.example.org': ['93.184.216.34'], 'mute.example.org': 'silent' }, drip)
  expect(await net.fetch(post('https://drip.example.org/'))).toMatchObject({ kind: 'failed', timeout: true })
  expect(await net.fetch(post('https://mute.example.org/'))).toMatchObject({ kind: 'failed', timeout: true })
})

test('an endless body is cut where it is enough', async () => {
  let pulled = 0
  const endless = () =>
    new Response(new ReadableStream({ pull: (control) => control.enqueue(new Uint8Array(4).fill(++pulled)) }))
  const { net } = network({ 'long.example.org': ['93.184.216.34'] }, endless)
  const answer = await net.fetch(post('https://long.example.org/'))
  expect(answer.kind === 'answered' && answer.body.length).toBe(10)
  expect(pulled).toBeLessThan(10)
})

test('a peer that breaks off is a failure, not an error of ours', async () => {
  const { net } = network({ 'rude.example.org': ['93.184.216.34'] }, () => {
    throw new Error('connection reset')
  })
  expect(await net.fetch(post('https://rude.example.org/'))).toMatchObject({ kind: 'failed', timeout: false })
})

test('on a laptop no name is looked up, and loopback is called', async () => {
  const { net, asked } = network({}, undefined, { local: true, ownHosts: ['127.0.0.1:8787'] })
  expect(await net.fetch(post('http://127.0.0.1:9999/'))).toMatchObject({ kind: 'answered' })
  expect(await net.fetch(post('http://localhost:8787/'))).toMatchObject({ kind: 'refused' })
  expect(await net.fetch(post('http://192.168.0.1/'))).toMatchObject({ kind: 'refused' })
  expect(asked).toEqual([])
})

test('a relay’s host is checked in the same way, and the refusal names the field', async () => {
  const { net } = network({
    'smtp.example.org': ['93.184.216.34'],
    'in.example.org': ['10.0.0.1'],
    'b.example.org': 'trouble',
  })
  await net.checkHost('smtp.example.org')
  for (const host of [
    'in.example.org',
    '127.0.0.1',
    '[::1]',
    '0x7f.1',
    'localhost',
    'nowhere.example.org',
    'a b',
    '',
  ]) {
    const problem: unknown = await net.checkHost(host).catch((error) => error)
    expect(problem, host).toBeInstanceOf(Problem)
    expect(problem, host).toMatchObject({ code: 'validation_error', detail: { fields: [{ path: 'host' }] } })
  }
  await expect(net.checkHost('b.example.org')).rejects.toMatchObject({ code: 'service_unavailable' })
})
