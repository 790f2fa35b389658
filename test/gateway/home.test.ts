import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { emptySpool, keepSecrets, loadSecrets, openHome } from '../../src/gateway/home.ts'

function makeHome() {
  const folder = mkdtempSync(join(tmpdir(), 'pochta-home-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return openHome(join(folder, 'home'))
}

test('secrets are made once, long, and readable by their owner alone', () => {
  const home = makeHome()
  const made = loadSecrets(home)
  keepSecrets(home, made, 'smtp://relay:x@127.0.0.1:2525')
  expect(loadSecrets(home)).toEqual(made)
  for (const text of [made.adminKey, made.secret, made.relay.password]) expect(text).toMatch(/^[\w-]{43,}$/)
  for (const path of [home.secrets, home.relay]) expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(home.folder).mode & 0o777).toBe(0o700)
})

test('another relay at the next start leaves the other secrets as they are', () => {
  const home = makeHome()
  const made = loadSecrets(home)
  keepSecrets(home, made, 'smtp://one')
  keepSecrets(home, loadSecrets(home), 'smtp://two')
  const text = readFileSync(home.secrets, 'utf8')
  expect(text).toContain("RELAY_URL='smtp://two'")
  expect(text).toContain(`ADMIN_KEY='${made.adminKey}'`)
  expect(text).toContain(`SECRET='${made.secret}'`)
})

test('no password in a relay URL can end its line or be taken for a variable', () => {
  const home = makeHome()
  keepSecrets(home, loadSecrets(home), 'smtp://u:a$B\'c"d`e\\f@h')
  expect(readFileSync(home.secrets, 'utf8')).toContain("RELAY_URL='smtp://u:a%24B%27c%22d%60e%5Cf@h'")
})

test('what was coming in when the last run ended is thrown away', () => {
  const home = makeHome()
  writeFileSync(join(home.spool, 'half.eml'), 'half')
  emptySpool(home)
  expect(readdirSync(home.spool)).toEqual([])
})
