/** Holds a mail on disk while it comes in, because the API wants to know its length before its first byte. */
import { randomUUID } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Refusal, tryAgain } from './refusal.ts'
import { MAX_MESSAGE_BYTES, Scan } from './scan.ts'

/** A mail on disk, as the sender meant it: dots unstuffed, nothing added. */
export type Spooled = { path: string; size: number; blob: Blob; discard(): Promise<void> }

/** All connections together; a disk is not to be filled by whoever says DATA most often. */
const MAX_SPOOLED_BYTES = 512 * 1024 * 1024

/** A client that goes on so far past the limit will not read our reply either. */
const MAX_READ_BYTES = 2 * MAX_MESSAGE_BYTES

let spooled = 0

/**
 * Reads DATA to its end and keeps it in the folder. The caller discards it.
 * @throws Refusal when all was read, and the mail cannot be taken. @throws any other error where the client went away.
 */
export async function spool(data: AsyncIterable<Buffer>, folder: string, onEndless: () => void): Promise<Spooled> {
  const path = join(folder, `${randomUUID()}.eml`)
  const scan = new Scan()
  let kept = 0
  const discard = async () => {
    spooled -= kept
    kept = 0
    await rm(path, { force: true })
  }
  try {
    const full = await write(data, path, (chunk) => {
      scan.write(chunk)
      if (scan.size > MAX_READ_BYTES) onEndless()
      if (scan.refused || spooled + chunk.length > MAX_SPOOLED_BYTES) return false
      kept += chunk.length
      spooled += chunk.length
      return true
    })
    const fault =
      scan.end() ?? (full ? new Refusal(452, '4.3.1', 'too much mail is coming in at once, try again') : undefined)
    if (fault) throw fault
    return { path, size: scan.size, blob: await openAsBlob(path), discard }
  } catch (error) {
    await discard()
    throw error
  }
}

/** Writes the chunks that are wanted; reads the others all the same, for a reply is read only after the final dot. */
async function write(data: AsyncIterable<Buffer>, path: string, wanted: (chunk: Buffer) => boolean): Promise<boolean> {
  const file = await open(path, 'wx', 0o600).catch(() => undefined)
  let missed = file === undefined
  let broken = false
  try {
    for await (const chunk of data) {
      if (!wanted(chunk)) missed = true
      if (!missed && !broken) await file?.appendFile(chunk).catch(() => (broken = true))
    }
  } finally {
    await file?.close()
  }
  if (file === undefined || broken) throw tryAgain('the mail could not be written down, try again')
  return missed
}
