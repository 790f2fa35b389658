/** The migrations of a local copy, by a stand-in for wrangler. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openHome } from '../../src/gateway/home.ts'
import { applyMigrations, type Place } from '../../src/gateway/wrangler.ts'

const TOML = ['DB', 'MAIL_2'].map((binding) => `[[d1_databases]]\nbinding = "${binding}"\n`).join('\n')

/** A project whose wrangler writes down what it is asked for, says so, and ends with what `code` comes to. */
function makePlace(code: string): { place: Place; asked: () => string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'pochta-migrations-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const project = join(folder, 'project')
  const asked = join(folder, 'asked')
  const bin = join(project, 'node_modules', 'wrangler', 'bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(project, 'wrangler.toml'), TOML)
  writeFileSync(asked, '')
  const program = `const { appendFileSync, readFileSync } = require('node:fs')
const database = process.argv[5]
appendFileSync(${JSON.stringify(asked)}, database + '\\n')
const times = readFileSync(${JSON.stringify(asked)}, 'utf8').split('\\n').filter((one) => one === database).length
console.log('database is locked?', database, times)
process.exit(${code})`
  writeFileSync(join(bin, 'wrangler.js'), program)
  const place = { project, home: openHome(join(folder, 'home')), claim: { add() {}, release() {} } }
  return { place, asked: () => readFileSync(asked, 'utf8').trim().split('\n').toSorted() }
}

test('a database that was locked by its neighbours is asked again, and it alone', async () => {
  const { place, asked } = makePlace(`database === 'MAIL_2' && times === 1 ? 1 : 0`)
  await applyMigrations(place, new AbortController().signal)
  expect(asked()).toEqual(['DB', 'MAIL_2', 'MAIL_2'])
})

test('a database that fails alone, too, is named with the end of the log', async () => {
  const { place, asked } = makePlace(`database === 'MAIL_2' ? 1 : 0`)
  const trouble = applyMigrations(place, new AbortController().signal)
  await expect(trouble).rejects.toMatchObject({
    message: expect.stringContaining('The migrations of MAIL_2 failed (code 1)'),
  })
  expect(asked()).toEqual(['DB', 'MAIL_2', 'MAIL_2'])
})
