/** Bytes out of mail as an answer: whatever the mail says they are, a browser saves them and runs nothing. */

/** What is handed out; type and file name come from strangers. */
type Bytes = { stream: ReadableStream<Uint8Array>; size: number; type: string; filename: string }

/** A longer name is no file's name anywhere, and a header line has its limits too. */
const MAX_NAME = 150

/** The answer with the bytes, to be saved. */
export function download({ stream, size, type, filename }: Bytes): Response {
  // The runtime tells a length only of a stream that is bound to it; one that gave other than this many bytes would fail.
  const headers = { ...headersFor(type, filename), 'content-length': String(size) }
  return new Response(stream.pipeThrough(new FixedLengthStream(size)), { headers })
}

/** The same for bytes whose number nobody knows before they are made. */
export function streamed(
  { stream, type, filename }: Omit<Bytes, 'size'>,
  more: Record<string, string | undefined>,
): Response {
  const told = Object.entries(more).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  return new Response(stream, { headers: { ...headersFor(type, filename), ...Object.fromEntries(told) } })
}

function headersFor(type: string, filename: string): Record<string, string> {
  return {
    'content-type': safeType(type),
    'content-disposition': dispositionOf(filename),
    'content-security-policy': "sandbox; default-src 'none'",
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, no-store',
    'referrer-policy': 'no-referrer',
  }
}

/** A media type that is no more than two tokens (RFC 2045 section 5.1); what is not is just bytes. */
export function safeType(type: string): string {
  return /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}$/.test(type)
    ? type
    : 'application/octet-stream'
}

/** The name for old readers in plain ASCII, and for all others as RFC 8187 has it (RFC 6266 section 4). */
export function dispositionOf(name: string): string {
  const safe = safeName(name)
  const ascii = safe.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const encoded = encodeURIComponent(safe).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}

/** Without directories, control characters and marks that turn the direction of writing: `exe.fdp` must not show as a PDF. */
function safeName(name: string): string {
  const base = name.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]/gu, '')
  const file = base.slice(Math.max(base.lastIndexOf('/'), base.lastIndexOf('\\')) + 1).trim()
  return shortened(file.replace(/^\.+/, '')) || 'attachment'
}

/** Cut in the middle, because the end says what kind of file it is. */
function shortened(name: string): string {
  const characters = [...name]
  if (characters.length <= MAX_NAME) return name
  const dot = characters.lastIndexOf('.')
  const ending = dot > 0 && characters.length - dot <= 20 ? characters.slice(dot) : []
  return [...characters.slice(0, MAX_NAME - ending.length), ...ending].join('')
}
