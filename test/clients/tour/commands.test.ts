/** Resend's command line, unmodified, through every command that has a resource of ours; what came of it is COMMANDS.md. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeTenant, type Service, startReceiver, startService, type Tenant, until } from '../../flow/service.ts'
import { type Between, startProxy } from '../proxy.ts'
import { type Cli, commandsOf, makeCli } from './cli.ts'
import { versionOf } from './clients.ts'
import { type Outcome, tableOf } from './page.ts'
import { asShown, incoming, type Shown } from './tour.ts'

let service: Service
let proxy: Between
let receiver: Awaited<ReturnType<typeof startReceiver>>
let tenant: Tenant
let home: string
let cli: Cli
const outcomes = new Map<string, Outcome>()

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'pochta-cli-'))
  proxy = await startProxy()
  receiver = await startReceiver()
  service = await startService({ vars: { PUBLIC_URL: proxy.url } })
  proxy.target = service.url
  tenant = await makeTenant(service, 'cli.test')
  cli = makeCli({ url: proxy.url, key: tenant.key, home })
}, 120_000)

afterAll(async () => {
  await service.close()
  await proxy.close()
  await receiver.close()
  rmSync(home, { recursive: true, force: true })
})

/** Runs a command, which must end well and tell, in JSON, what the Worker answered it. */
async function works(command: string, ...words: string[]): Promise<Shown> {
  const before = proxy.exchanges.length
  const told = await cli.read(...command.split(' '), ...words, '--json')
  const asked = proxy.exchanges.slice(before).filter(({ answer }) => answer.startsWith('{'))
  expect(
    asked.map(({ status }) => Math.floor(status / 100)),
    command,
  ).toEqual(asked.map(() => 2))
  const answers = asked.map(({ answer }) => JSON.parse(answer))
  // Of a batch it tells the list alone, and of what is removed that it is, in words of its own.
  const said = answers.flatMap((answer) => [answer, answer.data])
  if (/ delete$/.test(command)) said.push({ object: expect.any(String), id: words[0], deleted: true })
  expect(said, command).toContainEqual(told)
  outcomes.set(command, 'works')
  return asShown(told)
}

/** Runs a command, which must fail with what the Worker said, and tell so in JSON. */
async function fails(command: string, ...words: string[]): Promise<{ message: string; code: string }> {
  const { code, err } = await cli.run(...command.split(' '), ...words, '--json')
  expect(code, command).toBe(1)
  // Above the JSON it may write what it was answered, for whoever looks at it.
  return JSON.parse(err.slice(err.lastIndexOf('\n{\n') + 1)).error
}

const MAIL = ['--to', 'ann@away.test', '--subject', 's']

test('emails: sent with files, in batches and at a time; read, put off, called off', async () => {
  writeFileSync(join(home, 'a.bin'), Buffer.from([0, 13, 10, 255]))
  const from = ['--from', `Me <${tenant.address}>`]
  const full = [
    '--text',
    't',
    '--html',
    '<p>t</p>',
    '--cc',
    'cid@away.test',
    '--headers',
    'X-A=1',
    '--tags',
    'kind=cli',
  ]
  const sent = await works(
    'emails send',
    ...from,
    ...MAIL,
    ...full,
    '--attachment',
    'a.bin',
    '--idempotency-key',
    'one',
  )
  await works('emails get', sent.id)
  await works('emails list', '--limit', '2')
  const [attached] = (await works('emails attachments', sent.id)).data
  const one = await works('emails attachment', sent.id, attached?.id ?? '')
  const bytes = await (await fetch(one.download_url)).arrayBuffer()
  expect([...new Uint8Array(bytes)]).toEqual([0, 13, 10, 255])
  const mail = { from: tenant.address, to: ['ann@away.test'], subject: 's', text: 't' }
  writeFileSync(join(home, 'mails.json'), JSON.stringify([mail, mail]))
  await works('emails batch', '--file', 'mails.json')
  const later = await works('emails send', ...from, ...MAIL, '--text', 't', '--scheduled-at', 'in 1 hour')
  await works('emails update', later.id, '--scheduled-at', new Date(Date.now() + 7_200_000).toISOString())
  await works('emails cancel', later.id)
})

test('received mail: listed, read with its attachments, forwarded', async () => {
  await service.email('ann@away.test', tenant.address, incoming(tenant.address, 'First'))
  const [mail] = (await works('emails receiving list', '--limit', '1')).data
  const id = mail?.id ?? ''
  await works('emails receiving get', id)
  const [attached] = (await works('emails receiving attachments', id)).data
  await works('emails receiving attachment', id, attached?.id ?? '')
  await works('emails receiving forward', id, '--to', 'eve@away.test', '--from', tenant.address)
})

test('domains: made, read, changed, verified, removed', async () => {
  const { id } = await works('domains create', '--name', 'more.cli.test', '--region', 'eu-west-1', '--receiving')
  await works('domains get', id)
  await works('domains list')
  await works('domains update', id, '--no-open-tracking', '--no-click-tracking')
  await works('domains verify', id)
  await works('domains delete', id, '--yes')
})

test('API keys: made, listed, renamed, removed', async () => {
  const { id } = await works('api-keys create', '--name', 'Of the CLI', '--permission', 'sending_access')
  await works('api-keys list')
  await works('api-keys update', id, '--name', 'Renamed')
  await works('api-keys delete', id, '--yes')
})

test('suppressions: added, read, listed, removed, in batches too', async () => {
  const { id } = await works('suppressions add', 'gone@away.test')
  await works('suppressions get', id)
  await works('suppressions list', '--origin', 'manual')
  await works('suppressions delete', 'gone@away.test', '--yes')
  writeFileSync(join(home, 'gone.json'), JSON.stringify(['a@gone.test', 'b@gone.test']))
  await works('suppressions batch add', '--file', 'gone.json')
  await works('suppressions batch remove', '--file', 'gone.json')
})

test('templates: made, changed, published, copied, sent by, removed', async () => {
  const content = ['--name', 'Hi', '--alias', 'hi', '--subject', 'Hi', '--html', '<p>Hi {{{NAME}}}</p>']
  const { id } = await works('templates create', ...content, '--var', 'NAME:string:you')
  await works('templates update', id, '--text', 'Hi {{{NAME}}}')
  await works('templates publish', id)
  await works('templates get', 'hi')
  await works('templates list')
  const from = ['--from', tenant.address]
  await works('emails send', ...from, '--to', 'a@away.test', '--template', id, '--var', 'NAME=Ann')
  const copy = await works('templates duplicate', id)
  await works('templates delete', copy.id, '--yes')
})

test('webhooks: made, told, their events read and told again, removed', async () => {
  const { body } = await service.call('POST', '/webhooks', {
    key: tenant.key,
    body: { endpoint: receiver.url, events: ['email.received'] },
  })
  await service.email('ann@away.test', tenant.address, incoming(tenant.address, 'Second'))
  await until(() => receiver.calls.length > 0, 'the webhook')
  const [event] = (await works('webhooks events list', body.id)).data
  await works('webhooks events get', body.id, event?.id ?? '')
  await works('webhooks events attempts', body.id, event?.id ?? '')
  await works('webhooks events replay', body.id, event?.id ?? '')
  const endpoint = 'https://hooks.example.com/mail'
  const { id } = await works('webhooks create', '--endpoint', endpoint, '--events', 'email.sent,email.bounced')
  await works('webhooks get', id)
  await works('webhooks list')
  await works('webhooks update', id, '--status', 'disabled')
  await works('webhooks rotate-signing-secret', id)
  await works('webhooks delete', id, '--yes')
})

test('a refusal ends with 1, and says in JSON what the Worker said', async () => {
  const id = '0191e1c7-7c4a-7e10-8f3a-5b0c6d7e8f90'
  expect(await fails('emails get', id)).toMatchObject({
    message: expect.stringMatching(/no|not/i),
    code: 'fetch_error',
  })
  const stranger = await fails('emails send', '--from', 'me@stranger.test', ...MAIL, '--text', 't')
  expect(stranger).toMatchObject({ message: expect.stringContaining('stranger.test'), code: 'send_error' })
  const nobody = makeCli({ url: proxy.url, key: 're_nobodys', home })
  const { code, err } = await nobody.run('domains', 'list', '--json')
  expect([code, err]).toEqual([1, expect.stringMatching(/API key/i)])
})

test('a base URL that ends in a slash is as good', async () => {
  const slashed = makeCli({ url: `${proxy.url}/`, key: tenant.key, home })
  expect(await slashed.read('emails', 'list', '--json')).toMatchObject({ object: 'list' })
  expect(proxy.exchanges.at(-1)?.path).toMatch(/^\/\/emails/)
})

test('COMMANDS.md says what came of it', async () => {
  for (const [command, ...words] of UNSERVED) {
    const { message } = await fails(command, ...words)
    expect(message, command).toMatch(/not served|no such route/i)
    outcomes.set(command, `not served: ${message}`)
  }
  const rest = (await commandsOf(cli)).filter((command) => !outcomes.has(command))
  for (const command of rest) {
    const why = NOT_RUN.find(([pattern]) => pattern.test(command))
    outcomes.set(command, `not run: ${why?.[1] ?? expect.fail(`${command} was not tried`)}`)
  }
  const columns = [{ title: `resend-cli ${versionOf('resend-cli')}`, outcomes }]
  await expect(tableOf('command', columns)).toMatchFileSnapshot('../COMMANDS.md')
})

/** Of each resource that is not ours the command that needs the least to be asked. */
const UNSERVED: [command: string, ...words: string[]][] = [
  ['broadcasts list'],
  ['automations list'],
  ['contacts list'],
  ['contact-properties list'],
  ['segments list'],
  ['topics list'],
  ['logs list'],
  ['oauth-grants list'],
  ['emails metrics'],
  ['emails share', '0191e1c7-7c4a-7e10-8f3a-5b0c6d7e8f90'],
  ['domains claim create', '--name', 'x.test'],
]

const NOT_RUN: [command: RegExp, why: string][] = [
  [
    /^(broadcasts|automations|contacts|contact-properties|segments|topics|logs|oauth-grants|domains claim) /,
    'its resource is not served',
  ],
  [/^events /, 'its resource is not served; our GET /events is another thing'],
  [/^(emails receiving|webhooks) listen$/, 'goes on until it is stopped'],
  [/ open$|^(open|docs|careers)/, 'is about Resend’s own pages'],
  [/^(login|logout|auth|whoami|doctor|update|commands|completion)/, 'is about the program itself'],
]
