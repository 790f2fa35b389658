/** Keeps what leaves the machine only in name: mail for elsewhere, to be looked at. */
import { copyFile, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Trace } from './trace.ts'

/**
 * Writes `<time>-<recipient>-<id>.eml`, byte for byte as sent, and beside it a `.json` with the envelope. The envelope
 * is written first and the mail appears whole, so that whoever watches the folder finds both. Answers the mail's path.
 */
export async function keepCaught(folder: string, mail: { path: string }, envelope: CaughtEnvelope): Promise<string> {
  await mkdir(folder, { recursive: true })
  const { trace, from, to } = envelope
  const time = trace.at.toISOString().replace(/[-:]/g, '').replace('.', '-')
  const name = [time, fileWord(to[0] ?? ''), trace.id].join('-')
  const path = join(folder, `${name}.eml`)
  const beside = { at: trace.at.toISOString(), from, to, helo: trace.helo, smtputf8: trace.utf8 }
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(beside, undefined, 2)}\n`)
  await copyFile(mail.path, `${path}.part`)
  await rename(`${path}.part`, path)
  return path
}

export type CaughtEnvelope = { from: string; to: string[]; trace: Trace }

function fileWord(address: string): string {
  return address.replace(/[^A-Za-z0-9@._+-]/g, '_').slice(0, 80)
}
