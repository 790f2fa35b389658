import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { readSettings } from '../../src/gateway/settings.ts'

test('with nothing set, all has its usual place', () => {
  expect(readSettings({})).toEqual({ home: resolve('.pochta'), port: 8787, smtpPort: 2525 })
  expect(readSettings({ PORT: '', SMTP_PORT: '', POCHTA_HOME: '', RELAY_URL: '', DOH_URL: '' })).toEqual(
    readSettings({}),
  )
})

test('a setting that cannot be used is named, and a password in it is not shown', () => {
  for (const port of ['0', '65536', '-1', '80a', '1e3', ' 80', '']) {
    if (port) expect(() => readSettings({ PORT: port })).toThrow(/^PORT must be a port/)
    if (port) expect(() => readSettings({ SMTP_PORT: port })).toThrow(/^SMTP_PORT must be a port/)
  }
  expect(() => readSettings({ PORT: '2525' })).toThrow(/^PORT and SMTP_PORT are both 2525/)
  for (const url of ['http://u:hidden@h', 'u:hidden@h', 'smtp://', 'hidden']) {
    const attempt = () => readSettings({ RELAY_URL: url })
    expect(attempt).toThrow(/^RELAY_URL must be smtp:/)
    expect(attempt).not.toThrow(/hidden/)
  }
  expect(() => readSettings({ DOH_URL: 'dns.example' })).toThrow(/^DOH_URL must be https:/)
  expect(readSettings({ DOH_URL: 'https://dns.example/q' }).resolver).toBe('https://dns.example/q')
  expect(readSettings({ RELAY_URL: 'smtps://u:p%40@h:465' }).relayUrl).toBe('smtps://u:p%40@h:465')
})
