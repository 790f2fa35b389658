/** Fails where the migrations do not say what the schema says: somebody changed one and forgot the other. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const copy = mkdtempSync(join(tmpdir(), 'pochta-migrations-'))
try {
  cpSync('migrations', copy, { recursive: true })
  const before = readdirSync(copy).length
  const kit = ['node_modules/drizzle-kit/bin.cjs', 'generate', '--dialect=sqlite', '--schema=src/store/schema/*.ts']
  const run = spawnSync(process.execPath, [...kit, `--out=${copy}`, '--name=forgotten'], { encoding: 'utf8' })
  if (run.status !== 0) throw new Error(run.stdout + run.stderr)
  if (readdirSync(copy).length > before) {
    console.error('The schema has changes that no migration makes. Run: npm run migrations -- --name <what it does>')
    process.exitCode = 1
  } else {
    console.log('migrations: up to date')
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
