/** Bodies that are a message and not JSON. */
import { concat } from '../base/bytes.ts'
import { Problem } from '../base/problem.ts'

/** Without a Content-Length a body is held in memory to learn its size; more of it than this is refused. */
const MAX_UNSIZED = 2 * 1024 * 1024

/** The body as bytes, at most `cap` of them. @throws Problem payload_too_large. */
export async function readBytes(request: Request, cap: number): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(request.headers.get('content-length') ?? 0)
  if (declared > cap) throw tooLarge(cap)
  if (declared > 0) return readSized(request, declared)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > cap) throw tooLarge(cap)
    chunks.push(chunk)
  }
  return concat(chunks)
}

/** Into its place as it comes: the pieces and the whole would be in memory together. */
async function readSized(request: Request, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size)
  let at = 0
  for await (const chunk of request.body ?? []) {
    if (at + chunk.length > size) throw tooLarge(size)
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes.subarray(0, at)
}

/** A body that is yet to be read, once: whole, or as it comes. */
export function unreadBody(request: Request) {
  return {
    headers: request.headers,
    body: wholeBody(request),
    /** Behind `room` octets that are free. @throws Problem payload_too_large; invalid_request where it is cut short. */
    bytes: async (most: number, room = 0) => {
      const declared = Number(request.headers.get('content-length') ?? 0)
      if (declared > most) throw tooLarge(most)
      const chunks: Uint8Array[] = [new Uint8Array(room)]
      const whole = new Uint8Array(declared > 0 ? room + declared : 0)
      let at = room
      for await (const chunk of wholeBody(request)) {
        if (at - room + chunk.length > (declared > 0 ? declared : most)) throw tooLarge(most)
        if (declared > 0) whole.set(chunk, at)
        else chunks.push(chunk)
        at += chunk.length
      }
      return declared > 0 ? whole : concat(chunks)
    },
  }
}

/** @throws Problem invalid_request where less comes than was declared. */
async function* wholeBody(request: Request): AsyncGenerator<Uint8Array> {
  const declared = Number(request.headers.get('content-length') ?? 0)
  let seen = 0
  for await (const chunk of request.body ?? []) {
    seen += chunk.length
    yield chunk
  }
  if (seen < declared) throw new Problem('invalid_request', 'The body is shorter than its Content-Length.')
}

/** The body as a stream of known size. @throws Problem length_required, payload_too_large, invalid_request (empty). */
export async function sizedStream(
  request: Request,
  cap: number,
): Promise<{ size: number; raw: ReadableStream<Uint8Array> }> {
  const declared = request.headers.get('content-length')
  if (declared !== null && request.body) {
    const size = Number(declared)
    if (size > cap) throw tooLarge(cap)
    if (size > 0) return { size, raw: request.body }
  }
  const bytes = await readBytes(request, MAX_UNSIZED).catch((error) => {
    if (error instanceof Problem) throw lengthRequired()
    throw error
  })
  if (bytes.length === 0) {
    throw new Problem('invalid_request', 'The body is empty: send the mail itself as message/rfc822.')
  }
  return { size: bytes.length, raw: new Blob([bytes]).stream() }
}

function tooLarge(cap: number): Problem {
  return new Problem('payload_too_large', `The message is larger than ${cap} bytes.`)
}

function lengthRequired(): Problem {
  return new Problem('length_required', `A mail over ${MAX_UNSIZED} bytes needs a Content-Length header.`)
}
