import { expect, test } from 'vitest'
import { reachOfAddress, readHost } from '../../src/base/host.ts'

const LOOPBACK = `
  127.0.0.1 127.1 127.0.1 127.255.255.254 2130706433 0x7f000001 0x7F.1 017700000001 0177.0.0.1 0177.0.0.0x1 127.0.0.1.
  １２７.０.０.１ 127。0。0。1 ①②⑦.0.0.1
  [::1] ::1 [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001]
  [::ffff:127.0.0.1] ::ffff:7f00:1 [::127.0.0.1] [::7f00:1] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1]
  [2002:7f00:1::] [2002:7f00:0001::1] [2a00:1450::5efe:127.0.0.1] [2a00:1450::200:5efe:7f00:1]
  localhost LOCALHOST localhost. api.localhost a.b.localhost. localhost.localdomain ｌocalhost
`

const PRIVATE = `
  0.0.0.0 0 0x0 00 0.1.2.3 10.0.0.1 10.255.255.255 012.0.0.1 0xa.0.0.1 167772161 10.1
  100.64.0.1 100.127.255.255 100.100.100.200 168.63.129.16
  169.254.0.1 169.254.169.254 0xa9fea9fe 2852039166 0251.0376.0251.0376 169.254.43518
  172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 3232235521 0300.0250.0.1
  198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 4294967295
  :: [::] [::ffff:0.0.0.0] [::ffff:10.0.0.1] [::ffff:a9fe:a9fe] ::ffff:192.168.1.1 [::10.0.0.1] [64:ff9b::a00:1]
  [64:ff9b::169.254.169.254] [64:ff9b:1::1] [2002:a00:1::] [2002:c0a8:101::1] [2002:a9fe:a9fe::] [100::1]
  [fc00::1] [fd00:ec2::254] [fdff::1] [fe80::1] [febf::1] [fec0::1] [ff02::1] [5f00::1] [4000::1]
  [2001::1] [2001:0:4136:e378:8000:63bf:3fff:fdd2] [2001:10::1] [2001:20::1] [2001:db8::1] [3fff::1] [3fff:fff::1]
  metadata intranet router.lan printer.local a.b.local. metadata.google.internal x.INTERNAL nas.home db.corp x.home.arpa
  foo.test bar.example baz.invalid hidden.onion box.localdomain com
`

const PUBLIC = `
  8.8.8.8 1.1.1.1 134744072 0x08080808 11.0.0.1 9.255.255.255 100.63.255.255 100.128.0.1 126.0.0.1 128.0.0.1 172.15.0.1
  172.32.0.1 169.253.0.1 169.255.0.1 192.0.1.1 192.167.0.1 192.169.0.1 198.17.0.1 198.20.0.1 203.0.112.1 223.255.255.255
  168.63.129.17 [::ffff:8.8.8.8] [64:ff9b::8.8.8.8] [2606:4700::1111] [2001:4860:4860::8888] [2a00:1450:4001::1] [2002:808:808::]
  example.com EXAMPLE.com. hooks.example.co.uk bücher.example.org localhost.example.com local.example.net internal.dev
  10.0.0.1.nip.io notlocalhost.com x.tests.dev
`

const NO_HOSTS = [
  '',
  ' ',
  'a b.com',
  'user@host.com',
  'host.com/path',
  'host.com:80',
  '127.0.0.1:25',
  '[::1]:25',
  '[::1',
  '::1]',
]
const NO_HOSTS_EITHER = [
  'a..b.com',
  '.example.com',
  'example.com..',
  'fe80::1%eth0',
  '1.2.3.4.5',
  '256.1.1.1',
  '0x1ffffffff',
  'a%2eb.com',
]
const STRANGE = [
  'host\0.com',
  'host\r\n.com',
  'a#b.com',
  'a?b.com',
  'a\\b.com',
  `${'a'.repeat(64)}.com`,
  `${'a.'.repeat(200)}com`,
]

test.each([
  ['loopback', LOOPBACK],
  ['private', PRIVATE],
  ['public', PUBLIC],
])('a host that is %s is known in every spelling', (reach, spellings) => {
  const wrong = words(spellings).filter((host) => readHost(host)?.reach !== reach)
  expect(wrong).toEqual([])
})

test('what is no host is not taken for one', () => {
  expect([...NO_HOSTS, ...NO_HOSTS_EITHER, ...STRANGE].filter((host) => readHost(host) !== undefined)).toEqual([])
})

test('a name is given in the one form in which it is looked up', () => {
  expect(readHost('Bücher.Example.ORG.')).toEqual({ kind: 'name', text: 'xn--bcher-kva.example.org', reach: 'public' })
  expect(readHost('0x7f.1')).toEqual({ kind: 'address', text: '127.0.0.1', reach: 'loopback' })
})

test('an address as a resolver writes it is known, and other text is none', () => {
  expect(reachOfAddress('10.0.0.1')).toBe('private')
  expect(reachOfAddress('2606:4700::6810:84e5')).toBe('public')
  expect(reachOfAddress('FD00:EC2::254')).toBe('private')
  expect(reachOfAddress('::ffff:127.0.0.1')).toBe('loopback')
  for (const text of [
    '',
    'example.com',
    '1.2.3',
    '1.2.3.4.5',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    'g::1',
    '::1.2.3.999',
  ])
    expect(reachOfAddress(text), text).toBeUndefined()
})

test('long hostile text is judged in an instant', () => {
  const started = performance.now()
  for (const text of [':'.repeat(1e6), '1.'.repeat(5e5), '['.repeat(1e6)]) {
    readHost(text)
    reachOfAddress(text)
  }
  expect(performance.now() - started).toBeLessThan(1000)
})

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
