/**
 * Puts the text and the HTML of a message together out of its parts.
 *
 * Our own hand, not postal-mime's: the library keeps an object for every line and every padded unit of base64, and turns
 * HTML to text in time that grows with the square of its line breaks. Two megabytes of either would take the isolate.
 */
import { charsetOf, decodeUnlabelled } from './charset.ts'
import { decodeBytes } from './decode.ts'
import type { Part } from './parts.ts'
import { isBodyText } from './parts.ts'
import { visibleText } from './preview.ts'
import { inSkeleton } from './skeleton.ts'

export type Bodies = { text: string | undefined; html: string | undefined }

/** What one place of the message says: in one form, or in several of which a reader sees one. */
type Block = { plain: string[]; html: string[] }

/**
 * The bodies, lines ending in LF. Each is there where the message has a part of its kind, and then holds every block:
 * one that comes in the other form only (a text footer below HTML, say) is converted. Problem: unknown_charset.
 */
export function readBodies(root: Part, skeleton: Uint8Array, problems: Set<string>): Bodies {
  const found = new Set<Block>()
  const place = inSkeleton(root)
  const walk = (part: Part, alternative: Block | undefined) => {
    if (isBodyText(part)) {
      const from = place(part.body)
      const text = decodeText(part, skeleton.subarray(from, place(part.body + part.length)), problems)
      const block = alternative ?? { plain: [], html: [] }
      found.add(block)
      block[part.type === 'text/html' ? 'html' : 'plain'].push(text)
    }
    const inner = part.type === 'multipart/alternative' ? { plain: [], html: [] } : alternative
    for (const child of part.parts ?? []) walk(child, inner)
  }
  walk(root, undefined)
  const blocks = [...found]
  return { text: join(blocks, 'plain', 'html', visibleText), html: join(blocks, 'html', 'plain', toHtml) }
}

/** Text as HTML that shows the same. */
export function toHtml(text: string): string {
  const escaped = text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
  return `<div>${escaped.trim().replaceAll('\n', '<br>\n')}</div>`
}

function join(
  blocks: Block[],
  own: keyof Block,
  other: keyof Block,
  convert: (text: string) => string,
): string | undefined {
  if (!blocks.some((block) => block[own].length > 0)) return undefined
  return blocks.flatMap((block) => (block[own].length > 0 ? block[own] : block[other].map(convert))).join('\n')
}

function decodeText(part: Part, encoded: Uint8Array, problems: Set<string>): string {
  const bytes = decodeBytes(part.encoding, encoded)
  const label = part.charset?.trim().toLowerCase()
  const { decoder, known } = charsetOf(label)
  if (!known) problems.add('unknown_charset')
  // QUIRK: mailers say us-ascii, or nothing, and send UTF-8 or windows-1252: the bytes tell which.
  const unlabelled = !label || label === 'us-ascii' || label === 'ascii'
  const text = unlabelled ? decodeUnlabelled(bytes).replace(/^\ufeff/, '') : decoder.decode(bytes)
  const lines = text.replace(/\r\n?/g, '\n')
  return part.flowed ? unflow(lines, part.delsp === true) : lines
}

/** Joins the lines that were broken for the journey (RFC 3676 section 4): those of one quote depth that end in a space. */
export function unflow(text: string, deleteSpace: boolean): string {
  const joined: string[] = []
  let flowing = -1
  for (const line of text.split('\n')) {
    let depth = 0
    while (line[depth] === '>') depth++
    const content = line.slice(line[depth] === ' ' ? depth + 1 : depth)
    const soft = content.endsWith(' ') && content !== '-- '
    const kept = soft && deleteSpace ? content.slice(0, -1) : content
    if (flowing === depth && content !== '-- ') joined.push(kept)
    else joined.push(joined.length > 0 ? '\n' : '', depth > 0 ? `${'>'.repeat(depth)} ` : '', kept)
    flowing = soft ? depth : -1
  }
  return joined.join('')
}
