/** npm run deploy: everything that the Worker needs of Cloudflare, made or brought up to date. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { databasesIn } from '../src/gateway/wrangler.ts'
import { deploy, type Wrangler } from './deploy-steps.ts'

const wrangler: Wrangler = (args, secrets) => {
  const folder = secrets ? mkdtempSync(join(tmpdir(), 'pochta-deploy-')) : undefined
  const file = folder && join(folder, 'secrets.json')
  if (file) writeFileSync(file, JSON.stringify(secrets), { mode: 0o600 })
  const all = ['node_modules/wrangler/bin/wrangler.js', ...args, ...(file ? ['--secrets-file', file] : [])]
  return new Promise((resolve) => {
    const child = spawn(process.execPath, all, { stdio: ['inherit', 'pipe', 'pipe'] })
    let output = ''
    const show = (chunk: Buffer) => {
      output += chunk
      if (args[0] !== 'secret') process.stdout.write(chunk)
    }
    child.stdout.on('data', show)
    child.stderr.on('data', show)
    child.on('close', (code) => {
      if (folder) rmSync(folder, { recursive: true, force: true })
      resolve({ ok: code === 0, output })
    })
  })
}

const { RELAY_URL, PUBLIC_URL } = process.env
const databases = databasesIn(readFileSync('wrangler.toml', 'utf8'))
const deployed = await deploy(wrangler, databases, {
  ...(RELAY_URL ? { RELAY_URL } : {}),
  ...(PUBLIC_URL ? { PUBLIC_URL } : {}),
})

console.log(`\nPochta is deployed${deployed.url ? ` at ${deployed.url}` : ''}.`)
if (deployed.made.ADMIN_KEY) {
  console.log(`\nThe operator's key, shown this once; keep it:\n\n  ${deployed.made.ADMIN_KEY}\n`)
}
if (!RELAY_URL && deployed.made.SECRET) {
  console.log(
    'No relay is set. Give one with RELAY_URL=smtps://user:password@host:465 npm run deploy, or by POST /relays.',
  )
}
