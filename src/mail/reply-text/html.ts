/** HTML without what mailers mark as quoted or as a signature. One pass; unclosed elements end with the document. */

/** Attributes beyond this say nothing that is looked for. */
const MAX_TAG = 1000

/** Classes and ids that mailers give to the container of what is quoted. */
const QUOTES =
  /\b(?:gmail_quote|yahoo_quoted|yahoo-quoted|protonmail_quote|zmail_extra|tutanota_quote|divRplyFwdMsg|OLK_SRC_BODY_SECTION|moz-forward-container|moz-cite-prefix|WordSection1_quote|ms-outlook-mobile-reference-message|mail_quote|quoted-text|reply-intro|replyHeader)/i

/** Behind these all is quoted. */
const ENDS = /\b(?:appendonsend|stopSpelling|mail-editor-reference-message-container|x_divRplyFwdMsg)\b/i

const SIGNATURES =
  /\b(?:gmail_signature|moz-signature|AppleMailSignature|ms-outlook-mobile-signature|protonmail_signature_block|yahoo-signature|tutanota_signature)/i

const VOID = new Set(['br', 'hr', 'img', 'input', 'meta', 'link', 'col', 'wbr', 'area', 'base'])

/** The line that stands where a quote was, so that who wrote it is known to stand above one. */
const MARK = '<div>&gt;</div>'

/** The HTML without them, to be read as text. */
export function withoutQuotes(html: string): string {
  const pieces: string[] = []
  let skipped: { name: string; depth: number } | undefined
  let from = 0
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', at + 1)) {
    if (html.startsWith('<!--', at)) {
      const end = html.indexOf('-->', at + 4)
      if (end < 0) break
      at = end
      continue
    }
    const tag = /^<(\/?)([a-z][a-z0-9]{0,20})/i.exec(html.slice(at, at + 24))
    if (!tag) continue
    const name = tag[2]?.toLowerCase() ?? ''
    const closes = tag[1] === '/'
    if (skipped) {
      if (name !== skipped.name) continue
      skipped.depth += closes ? -1 : 1
      if (skipped.depth > 0) continue
      skipped = undefined
      from = html.indexOf('>', at)
      if (from < 0) return pieces.join('')
      from++
      continue
    }
    if (closes) continue
    const text = tagAt(html, at)
    const kind = kindOf(name, text)
    if (kind !== undefined) {
      pieces.push(html.slice(from, at), kind === 'signature' ? '' : MARK)
      if (kind === 'end') return pieces.join('')
      skipped = { name, depth: 1 }
    }
    // Each character is looked at once, however many tags begin in one that never ends.
    at += text.length - 1
  }
  if (!skipped) pieces.push(html.slice(from))
  return pieces.join('')
}

function tagAt(html: string, at: number): string {
  const start = html.slice(at, at + MAX_TAG)
  const end = start.indexOf('>')
  return end < 0 ? start : start.slice(0, end + 1)
}

function kindOf(name: string, tag: string): 'quote' | 'signature' | 'end' | undefined {
  if (name === 'blockquote') return 'quote'
  if (!/\b(?:class|id)\s?=/i.test(tag)) return undefined
  if (ENDS.test(tag)) return 'end'
  if (VOID.has(name)) return undefined
  if (QUOTES.test(tag)) return 'quote'
  return SIGNATURES.test(tag) ? 'signature' : undefined
}
