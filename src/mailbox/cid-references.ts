/** Where HTML refers to other parts of its message by cid: URLs (RFC 2392), and only where a URL of a picture can stand. One pass. */

/** A `cid:…` URL: its place in the HTML, and the Content-ID it names. */
export type CidReference = { start: number; end: number; contentId: string }

/** Which attributes show a picture, by element; `*` is any. An iframe's or object's source is left alone: it would run. */
const PICTURES: Readonly<Record<string, readonly string[]>> = {
  src: ['img', 'input'],
  background: ['*'],
  poster: ['video'],
}

/** Elements whose content is no markup. */
const RAW_TEXT = new Set(['script', 'style', 'textarea', 'title', 'xmp', 'noscript', 'iframe'])

// Counted repetitions, so that a long run of blanks costs one look each.
const CSS_URL = /url\(\s{0,8}(?:["']|&quot;|&#39;)?\s{0,8}(cid:[^\s"'()&;<>]{1,998})/gi

/** Every reference, in the order of the HTML. */
export function cidReferences(html: string): CidReference[] {
  const found: CidReference[] = []
  for (let at = html.indexOf('<'); at >= 0 && at < html.length; at = html.indexOf('<', at)) {
    if (html.startsWith('<!--', at)) {
      at = after(html, '-->', at + 4)
      continue
    }
    const name = /^[a-z][a-z0-9]{0,20}/i.exec(html.slice(at + 1, at + 24))?.[0].toLowerCase()
    at = name ? readAttributes(html, at + 1 + name.length, name, found) : at + 1
    if (!name || !RAW_TEXT.has(name)) continue
    const end = closing(html, name, at)
    if (name === 'style') cssReferences(html, at, end, found)
    at = end
  }
  return found
}

/** The HTML with the references for which there is another URL replaced by it. A URL given must need no escaping. */
export function replaceReferences(
  html: string,
  references: readonly CidReference[],
  urlOf: (at: number) => string | undefined,
): string {
  const pieces: string[] = []
  let at = 0
  for (const [index, { start, end }] of references.entries()) {
    const url = urlOf(index)
    if (url === undefined) continue
    pieces.push(html.slice(at, start), url)
    at = end
  }
  return `${pieces.join('')}${html.slice(at)}`
}

/** Reads the attributes of a tag from behind its name; answers where the tag ends. */
function readAttributes(html: string, from: number, element: string, found: CidReference[]): number {
  let at = from
  while (at < html.length) {
    while (isSpace(html, at) || html[at] === '/') at++
    if (html[at] === '>') return at + 1
    const start = at
    while (at < html.length && !isSpace(html, at) && !'=/>'.includes(html.charAt(at))) at++
    // A name cannot begin with an equals sign but for broken HTML, which must not stop us.
    if (at === start) at++
    const name = html.slice(start, Math.min(at, start + 20)).toLowerCase()
    let next = at
    while (isSpace(html, next)) next++
    if (html[next] !== '=') continue
    at = next + 1
    while (isSpace(html, at)) at++
    const quote = html[at] === '"' || html[at] === "'" ? html.charAt(at) : ''
    const begins = at + quote.length
    at = begins
    if (quote) at = before(html, quote, at)
    else while (at < html.length && !isSpace(html, at) && html[at] !== '>') at++
    if (name === 'style') cssReferences(html, begins, at, found)
    else if (PICTURES[name]?.some((holder) => holder === '*' || holder === element)) reference(html, begins, at, found)
    at += quote.length
  }
  return at
}

function reference(html: string, from: number, to: number, found: CidReference[]): void {
  let start = from
  let end = to
  while (start < end && isSpace(html, start)) start++
  while (end > start && isSpace(html, end - 1)) end--
  if (html.slice(start, start + 4).toLowerCase() !== 'cid:') return
  found.push({ start, end, contentId: decoded(html.slice(start + 4, end)) })
}

function cssReferences(html: string, from: number, to: number, found: CidReference[]): void {
  for (const match of html.slice(from, to).matchAll(CSS_URL)) {
    const url = match[1] ?? ''
    const end = from + match.index + match[0].length
    found.push({ start: end - url.length, end, contentId: decoded(url.slice(4)) })
  }
}

/** The Content-ID of a URL: percent signs and the one entity that a URL in HTML needs are undone. */
function decoded(text: string): string {
  const plain = text.slice(0, 1000).replaceAll('&amp;', '&')
  try {
    return decodeURIComponent(plain)
  } catch {
    return plain
  }
}

function isSpace(html: string, at: number): boolean {
  return at < html.length && ' \t\r\n\f'.includes(html.charAt(at))
}

function before(html: string, text: string, from: number): number {
  const found = html.indexOf(text, from)
  return found < 0 ? html.length : found
}

function after(html: string, text: string, from: number): number {
  return Math.min(html.length, before(html, text, from) + text.length)
}

/** Where `</name` stands at or after a place, in any case; the end where it does not. */
function closing(html: string, name: string, from: number): number {
  for (let at = html.indexOf('</', from); at >= 0; at = html.indexOf('</', at + 2)) {
    if (html.slice(at + 2, at + 2 + name.length).toLowerCase() === name) return at
  }
  return html.length
}
