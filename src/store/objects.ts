/** Raw mail in R2: `raw/<account>/<day>/<message id>.<random>`. The bytes are written once and never changed. */
import { concat } from '../base/bytes.ts'
import type { Stores } from './stores.ts'

/** A key that no other attempt has. It carries the message's id, so that a sweep can ask whether a row names it. */
export function rawKey(account: number, messageId: string, day: number, random: string): string {
  return `raw/${account}/${day}/${messageId}.${random}`
}

/** A key for what came back about sent mail; the task that names it has it removed once it is read. */
export function bounceKey(account: number, id: string, random: string): string {
  return `bounces/${account}/${id}.${random}`
}

/** The prefixes of all that an account has. */
export function prefixesOf(account: number): string[] {
  return [`raw/${account}/`, `bounces/${account}/`]
}

/** Up to here a copy costs less than a stream. */
const SMALL = 256 * 1024

/** Stores pieces as one object; large ones without bringing them together in memory first. */
export async function putPieces(stores: Stores, key: string, pieces: readonly Uint8Array[]): Promise<void> {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
  if (size <= SMALL) return putRaw(stores, key, concat(pieces), size)
  const left = [...pieces]
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = left.shift()
      if (piece) controller.enqueue(piece)
      else controller.close()
    },
  })
  await putRaw(stores, key, stream, size)
}

/** Stores the bytes under a new key. A stream must give exactly `size` octets, or nothing is stored and this throws. */
export async function putRaw(
  stores: Stores,
  key: string,
  bytes: Uint8Array | ReadableStream<Uint8Array>,
  size: number,
): Promise<void> {
  if (bytes instanceof Uint8Array) {
    await stores.raw.put(key, bytes)
    return
  }
  // R2 needs to know the length of what it is given.
  const sized = new FixedLengthStream(size)
  await Promise.all([bytes.pipeTo(sized.writable), stores.raw.put(key, sized.readable)])
}

/** Reads the bytes, or the range [start, end) of them; undefined where there is no such object. */
export async function getRaw(
  stores: Stores,
  key: string,
  range?: { start: number; end: number },
): Promise<R2ObjectBody | undefined> {
  const options = range ? { range: { offset: range.start, length: range.end - range.start } } : {}
  return (await stores.raw.get(key, options)) ?? undefined
}

/** Copies the bytes under a new key: each object is one row's own. @throws where there is nothing to copy. */
export async function copyRaw(stores: Stores, from: string, to: string): Promise<void> {
  const object = await getRaw(stores, from)
  if (!object) throw new Error('there is no such object to copy')
  await stores.raw.put(to, object.body)
}

/** Deletes objects, up to 1,000 at a time; those that are gone already are no error. */
export async function deleteRaw(stores: Stores, keys: string[]): Promise<void> {
  if (keys.length > 0) await stores.raw.delete(keys)
}

/** One page of the objects under a prefix, at most 1,000. */
export async function listRaw(
  stores: Stores,
  prefix: string,
  cursor?: string,
): Promise<{ objects: { key: string; uploaded: number }[]; cursor?: string }> {
  const page = await stores.raw.list(cursor ? { prefix, cursor } : { prefix })
  const objects = page.objects.map((object) => ({ key: object.key, uploaded: object.uploaded.getTime() }))
  return page.truncated ? { objects, cursor: page.cursor } : { objects }
}
