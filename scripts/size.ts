/** Builds what a deploy would send, without sending it; fails where it is too large, or carries the local switch. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** What is downloaded and compiled at every cold start. */
const MAX_GZIP_KIB = 450

const out = mkdtempSync(join(tmpdir(), 'pochta-build-'))
try {
  const wrangler = ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--minify', `--outdir=${out}`]
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', NO_COLOR: '1' }
  const run = spawnSync(process.execPath, wrangler, { encoding: 'utf8', env })
  const said = run.stdout + run.stderr
  if (run.status !== 0) throw new Error(said)
  const scripts = readdirSync(out).filter((name) => name.endsWith('.js'))
  const kib = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(join(out, name))).length, 0) / 1024
  console.log(`bundle: ${kib.toFixed(1)} KiB gzip (at most ${MAX_GZIP_KIB})`)
  if (kib > MAX_GZIP_KIB) {
    console.error('The bundle is over its budget.')
    process.exitCode = 1
  }
  if (/\bLOCAL\b/.test(said)) {
    console.error('The deploy carries the local switch LOCAL: it must only ever be given on the command line.')
    process.exitCode = 1
  }
} finally {
  rmSync(out, { recursive: true, force: true })
}
