/** A real Postfix of its own on loopback, delivering to a folder: there only where Debian's package is installed and we are root. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whether a Postfix can be started here. */
export const hasPostfix = existsSync('/usr/sbin/postfix') && process.getuid?.() === 0

export type Postfix = { port: number; delivered(): string[]; log(): string; close(): Promise<void> }

/** Starts it for one domain; takes STARTTLS with the given certificate. */
export async function startPostfix(domain: string, tls: { key: string; cert: string }): Promise<Postfix> {
  const folder = mkdtempSync(join(tmpdir(), 'pochta-postfix-'))
  chmodSync(folder, 0o755)
  const port = await freePort()
  const at = (name: string) => join(folder, name)
  for (const name of ['conf', 'queue', 'data', 'mail']) mkdirSync(at(name))
  writeFileSync(at('conf/key.pem'), tls.key, { mode: 0o600 })
  writeFileSync(at('conf/cert.pem'), tls.cert)
  writeFileSync(at('conf/main.cf'), mainCf(folder, domain))
  writeFileSync(at('conf/master.cf'), masterCf(port))
  spawnSync('chown', ['postfix', at('data')])
  spawnSync('chown', ['-R', 'nobody', at('mail')])
  const child = spawn('/usr/sbin/postfix', ['-c', at('conf'), 'start-fg'], { stdio: 'ignore' })
  await listening(port, child)
  const inbox = at('mail/new')
  return {
    port,
    delivered: () =>
      existsSync(inbox) ? readdirSync(inbox).map((name) => readFileSync(join(inbox, name), 'latin1')) : [],
    log: () => (existsSync(at('log')) ? readFileSync(at('log'), 'utf8') : ''),
    close: async () => {
      spawnSync('/usr/sbin/postfix', ['-c', at('conf'), 'stop'], { stdio: 'ignore' })
      if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function mainCf(folder: string, domain: string): string {
  return `
compatibility_level = 3.6
queue_directory = ${folder}/queue
data_directory = ${folder}/data
maillog_file = ${folder}/log
maillog_file_prefixes = ${folder}
myhostname = mx.${domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
smtpd_relay_restrictions = reject_unauth_destination
virtual_mailbox_domains = ${domain}
virtual_mailbox_base = ${folder}/mail
virtual_mailbox_maps = static:./
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = ${folder}/conf/cert.pem
smtpd_tls_key_file = ${folder}/conf/key.pem
alias_maps =
local_recipient_maps =
`
}

function masterCf(port: number): string {
  return `
127.0.0.1:${port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
`
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Waits until something listens, for ten seconds. */
export async function listening(port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`)
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`nothing listens on ${port}`)
}
