/** What an answer carries of the message it answers: its attachments byte for byte, or the pictures that its HTML shows. */
import type { Caller } from '../../context.ts'
import type { Attachment } from '../../mail/compose.ts'
import type { Part } from '../../mail/mime/parts.ts'
import { cut, oneLine } from './header.ts'
import { type Original, readParts, readWhole } from './original.ts'

/** All of it, as the message had it, for an answer with this HTML or none. @throws Problem payload_too_large. */
export async function allCarried(ctx: Caller, original: Original, html: string | undefined): Promise<Attachment[]> {
  return carry(ctx, original, original.attachments, shownIds(html))
}

/** The pictures that the answer’s HTML refers to, which without them would be holes. @throws Problem payload_too_large. */
export async function picturesOf(ctx: Caller, original: Original, html: string | undefined): Promise<Attachment[]> {
  const shown = shownIds(html)
  const pictures = original.attachments.filter((part) => part.type.startsWith('image/') && isShown(part, shown))
  return carry(ctx, original, pictures, shown)
}

/** The message itself as one attachment. @throws Problem payload_too_large. */
export async function wholeCarried(ctx: Caller, original: Original): Promise<Attachment[]> {
  const name = oneLine(original.read.subject ?? '', MAX_FILENAME - '.eml'.length).replace(/[/\\:*?"<>|]/g, '_')
  return [
    {
      content: await readWhole(ctx, original),
      contentType: 'message/rfc822',
      filename: `${name || 'message'}.eml`,
    },
  ]
}

/** These parts with the ids that they have, whether anything refers to them or not. @throws Problem payload_too_large. */
export async function carriedAsIs(ctx: Caller, original: Original, parts: readonly Part[]): Promise<Attachment[]> {
  return carry(ctx, original, parts, new Set(parts.flatMap(({ contentId }) => contentId ?? [])))
}

async function carry(
  ctx: Caller,
  original: Original,
  parts: readonly Part[],
  shown: ReadonlySet<string>,
): Promise<Attachment[]> {
  const contents = await readParts(ctx, original, parts)
  return parts.map((part, at) => {
    const filename = nameOf(part)
    return {
      content: contents[at] ?? new Uint8Array(0),
      contentType: typeOf(part),
      ...(filename === '' ? {} : { filename }),
      // An id makes it a part of the HTML, where a reader may hide it from the list of attachments.
      ...(isShown(part, shown) ? { contentId: part.contentId, disposition: 'inline' } : {}),
    }
  })
}

/** Whether HTML refers to it, by an id that can be written. */
function isShown({ contentId, parts }: Part, shown: ReadonlySet<string>): boolean {
  return contentId !== undefined && !parts && shown.has(contentId) && /^[!-;=?-~]{1,255}$/.test(contentId)
}

/** The content ids that HTML refers to (RFC 2392), in one pass. */
function shownIds(html = ''): Set<string> {
  const written = Array.from(html.matchAll(/\bcid:([^\s"'()<>]{1,300})/gi), ([, id = '']) => id)
  return new Set(written.flatMap((id) => [id, unescaped(id)]))
}

function unescaped(id: string): string {
  try {
    return decodeURIComponent(id)
  } catch {
    return id
  }
}

/** No file's name is longer anywhere. */
const MAX_FILENAME = 255

/** The end of the name says what it is, so a long one is cut before it. */
function nameOf({ filename = '' }: Part): string {
  const name = oneLine(filename, 1000)
  if (name.length <= MAX_FILENAME) return name
  const ending = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? ''
  return `${cut(name, MAX_FILENAME - ending.length)}${ending}`
}

/** The media type with what decides how its bytes are read; a multipart that nobody could take apart is just bytes. */
function typeOf({ type, charset, method, parts }: Part): string {
  if (parts || type.startsWith('multipart/')) return 'application/octet-stream'
  const parameters = [
    ...(charset && TOKEN.test(charset) ? [`; charset=${charset}`] : []),
    ...(method && TOKEN.test(method) ? [`; method=${method}`] : []),
  ].join('')
  return type.length + parameters.length <= MAX_TYPE ? `${type}${parameters}` : type
}

const TOKEN = /^[A-Za-z0-9._+-]{1,60}$/
const MAX_TYPE = 255
