import { expect, test } from 'vitest'
import { faultOfHost, readTarget } from '../../src/base/target.ts'

const deployed = { local: false, ownHosts: ['mail.example.com'] }
const laptop = { local: true, ownHosts: ['127.0.0.1:8787'] }

const reason = (url: string, rules = deployed) => {
  const target = readTarget(url, rules)
  return target.kind === 'refused' ? target.reason : undefined
}

test('an https URL of a public host is allowed', () => {
  for (const url of [
    'https://hooks.example.org/x?y=1',
    'https://hooks.example.org:8443/',
    'https://hooks.example.org:49152/',
    'https://8.8.8.8/',
    'https://[2606:4700::1111]/',
  ])
    expect(reason(url), url).toBeUndefined()
})

test.each([
  ['plain http', 'http://hooks.example.org/', 'https://'],
  ['other schemes', 'ftp://hooks.example.org/', 'https://'],
  ['files', 'file:///etc/passwd', 'https://'],
  ['data', 'data:text/plain,x', 'https://'],
  ['what is no URL', 'hooks.example.org', 'not a URL'],
  ['a user name', 'https://user@hooks.example.org/', 'user name'],
  ['a password', 'https://:secret@hooks.example.org/', 'user name'],
  ['a private address', 'https://10.0.0.1/', 'private'],
  ['metadata', 'https://169.254.169.254/latest/meta-data/', 'private'],
  ['metadata in decimal', 'https://2852039166/', 'private'],
  ['metadata in octal', 'https://0251.0376.0251.0376/', 'private'],
  ['metadata in an IPv6 address', 'https://[::ffff:a9fe:a9fe]/', 'private'],
  ['loopback', 'https://127.0.0.1/', 'loopback'],
  ['loopback in hexadecimal', 'https://0x7f.1/', 'loopback'],
  ['a name behind a user that looks like a host', 'https://example.com@127.0.0.1/', 'user name'],
  ['a backslash taken for a slash', 'https://127.0.0.1\\@example.com/', 'loopback'],
  ['an encoded address', 'https://%31%32%37.0.0.1/', 'loopback'],
  ['a name with a dot at the end', 'https://localhost./', 'loopback'],
  ['an inner name', 'https://metadata.google.internal/', 'private'],
  ['a bare name', 'https://intranet/', 'private'],
  ['SMTP', 'https://hooks.example.org:25/', 'port 25'],
  ['submission', 'https://hooks.example.org:587/', 'port 587'],
  ['SSH', 'https://hooks.example.org:22/', 'port 22'],
  ['Redis', 'https://hooks.example.org:6379/', 'port 6379'],
  ['ourselves', 'https://mail.example.com/emails', 'itself'],
  ['ourselves on another port, in capitals, with a dot', 'https://MAIL.example.com.:8443/', 'itself'],
  ['an endless URL', `https://hooks.example.org/${'x'.repeat(3000)}`, 'longer'],
])('%s is refused', (_, url, because) => {
  expect(reason(url)).toContain(because)
})

test('on a laptop http and loopback are allowed, and nothing else changes', () => {
  for (const url of [
    'http://127.0.0.1:9999/hook',
    'http://localhost:9999/',
    'http://[::1]:9999/',
    'http://hooks.example.org/',
  ])
    expect(reason(url, laptop), url).toBeUndefined()
  for (const url of [
    'http://10.0.0.1/',
    'http://169.254.169.254/',
    'ftp://127.0.0.1/',
    'http://u@127.0.0.1/',
    'http://127.0.0.1:25/',
  ])
    expect(reason(url, laptop), url).toBeDefined()
})

test('a laptop’s copy does not call itself, however its host is written', () => {
  for (const host of ['127.0.0.1', 'localhost', '[::1]', '127.1', '0x7f000001', 'api.localhost'])
    expect(reason(`http://${host}:8787/`, laptop), host).toContain('itself')
})

test('a relay’s host is judged by the same rules', () => {
  expect(faultOfHost('smtp.example.com', deployed)).toBeUndefined()
  expect(faultOfHost('127.0.0.1', deployed)).toContain('loopback')
  expect(faultOfHost('127.0.0.1', laptop)).toBeUndefined()
  expect(faultOfHost('::ffff:10.0.0.1', laptop)).toContain('private')
  expect(faultOfHost('a b', laptop)).toContain('not a host')
})
