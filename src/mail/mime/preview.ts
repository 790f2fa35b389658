/** The first words of a message, for lists: what a reader would see, on one line. */

/** A list shows a line or two. */
const PREVIEW_LENGTH = 200

/** What is looked at: a newsletter's styles are seldom longer, and one that hides its text behind more has no preview. */
const MAX_SCANNED = 256 * 1024

/** Elements whose content is never shown. */
const HIDDEN = new Set(['style', 'script', 'title', 'head', 'template', 'noscript', 'svg', 'math', 'object'])

/** Elements that begin a line of their own. */
const BLOCKS = new Set(
  'br p div tr li ul ol dl dt dd table h1 h2 h3 h4 h5 h6 hr pre blockquote section article'.split(' '),
)

/** Elements that may stand in the middle of a word. */
const INLINE = new Set('a b i u s em strong span font small big sup sub code wbr mark'.split(' '))

/** About 200 characters of the text, or of the HTML where there is no text. */
export function previewOf(text: string | undefined, html: string | undefined): string {
  const preview = folded(text?.slice(0, MAX_SCANNED) ?? '')
  return preview !== '' || html === undefined ? preview : folded(visibleText(html.slice(0, MAX_SCANNED)))
}

/** The text of HTML, tags and hidden elements taken out: to be shown as text, never as HTML. One pass. */
export function visibleText(html: string): string {
  const pieces: string[] = []
  for (let at = 0; at < html.length; ) {
    const open = html.indexOf('<', at)
    pieces.push(html.slice(at, open < 0 ? html.length : open).replace(/[\t\n\r ]+/g, ' '))
    if (open < 0) break
    const tag = /^<(\/?)([a-z][a-z0-9]{0,20})/i.exec(html.slice(open, open + 24))
    const name = tag?.[2]?.toLowerCase() ?? ''
    if (html.startsWith('<!--', open)) at = after(html, '-->', open + 4)
    else if (name === '' && !/^[/!?]/.test(html.slice(open + 1, open + 2))) {
      pieces.push('<')
      at = open + 1
    } else {
      at = after(html, '>', open)
      if (BLOCKS.has(name)) pieces.push('\n')
      else if (!INLINE.has(name)) pieces.push(' ')
      if (HIDDEN.has(name) && tag?.[1] === '') at = after(html, '>', closing(html, name, at))
    }
  }
  return decodeEntities(pieces.join(''))
    .split('\n')
    .map((line) => line.trim())
    .filter(notTwice)
    .join('\n')
    .trim()
}

/** One empty line is enough between two others. */
function notTwice(line: string, at: number, lines: string[]): boolean {
  return line !== '' || lines[at - 1] !== ''
}

/** White space folded, characters that only steer or fill (zero width, soft hyphen, bidi) left out, cut at a character. */
function folded(text: string): string {
  let line = ''
  for (const character of text) {
    if (/\p{Cf}|\p{Cc}|\u034f|\ufffc/u.test(character) && !/\s/.test(character)) continue
    if (!/\s/.test(character)) line += character
    else if (line !== '' && !line.endsWith(' ')) line += ' '
    if (line.length >= PREVIEW_LENGTH) break
  }
  return line.trimEnd()
}

function after(html: string, text: string, from: number): number {
  const found = html.indexOf(text, from)
  return found < 0 ? html.length : found + text.length
}

/** Where `</name` stands at or after a place, in any case; the end where it does not. */
function closing(html: string, name: string, from: number): number {
  for (let at = html.indexOf('</', from); at >= 0; at = html.indexOf('</', at + 2)) {
    if (html.slice(at + 2, at + 2 + name.length).toLowerCase() === name) return at
  }
  return html.length
}

const ENTITIES = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
  ['copy', '©'],
  ['reg', '®'],
  ['trade', '™'],
  ['hellip', '…'],
  ['ndash', '–'],
  ['mdash', '—'],
  ['lsquo', '‘'],
  ['rsquo', '’'],
  ['ldquo', '“'],
  ['rdquo', '”'],
  ['bull', '•'],
  ['middot', '·'],
  ['euro', '€'],
  ['shy', ''],
  ['zwnj', ''],
  ['zwj', ''],
])

function decodeEntities(text: string): string {
  return text.replace(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]{2,8});?/gi, (written, name: string) => {
    if (!name.startsWith('#')) return ENTITIES.get(name.toLowerCase()) ?? written
    const code = name[1] === 'x' || name[1] === 'X' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : '\ufffd'
  })
}
