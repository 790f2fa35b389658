/**
 * HTML of a stranger made safe to show: nothing in it runs, loads a style, posts a form or, unless asked for, calls home.
 *
 * The work is sanitize-html's, given a list of what may stay. What it writes holds no element whose content is read by
 * rules of its own (svg, math, style, noscript, template, select …), so no reader can find more in it than it did.
 */
import sanitize from 'sanitize-html'
import { visibleText } from '../mime/preview.ts'
import { toHtml } from '../mime/text.ts'
import { safeStyle } from './style.ts'

export type SafeHtml = {
  html: string
  /** Pictures that would have been fetched from elsewhere, and were left out. */
  blocked: number
  /** html_limit: cut before it was read. html_depth: nested too deep, so its text is given instead. */
  problems: ('html_limit' | 'html_depth')[]
}

/** Readers clip at a tenth of this; the sanitiser takes some 50 ms for so much. */
export const MAX_HTML = 1024 * 1024

/** The parser looks through its whole stack at each tag: deeper, and a mail of nothing but tags would take minutes. */
export const MAX_HTML_DEPTH = 1000

/** Longer URLs open nowhere, and the sanitiser's look at one grows with the square of its length. */
const MAX_URL = 4096

/** Alternative texts, titles, measures. */
const MAX_ATTRIBUTE = 2000

/** Makes it safe; `remote` leaves pictures of http(s) in it. Those of the mail itself stay, as `cid:` or small `data:` URLs. */
export function safeHtml(written: string, images: 'blocked' | 'remote'): SafeHtml {
  const html = written.slice(0, MAX_HTML)
  const problems: SafeHtml['problems'] = html.length < written.length ? ['html_limit'] : []
  let blocked = 0
  let depth = 0
  const transform = (tagName: string, attribs: sanitize.Attributes) => {
    const kept = safeAttributes(tagName, attribs, images)
    if (tagName === 'img' && attribs.src !== undefined && kept.src === undefined) blocked++
    return { tagName, attribs: kept }
  }
  try {
    const clean = sanitize(html, {
      ...OPTIONS,
      transformTags: { '*': transform },
      onOpenTag: () => {
        if (++depth > MAX_HTML_DEPTH) throw new TooDeep()
      },
      onCloseTag: () => {
        depth--
      },
    })
    return { html: clean, blocked, problems }
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error
    return { html: toHtml(visibleText(html)), blocked: 0, problems: [...problems, 'html_depth'] }
  }
}

class TooDeep extends Error {}

const words = (text: string) => text.split(' ')

const TAGS = words(
  'a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn dir div dl ' +
    'dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q s samp ' +
    'section small span strike strong sub sup table tbody td tfoot th thead time tr tt u ul var wbr',
)

/** Their content goes with them: it is no text of the mail, or would be read by other rules. */
const DROPPED = words(
  'script style title textarea option select xmp noscript noembed noframes iframe frameset object embed applet svg math ' +
    'template plaintext audio video canvas map',
)

/** What every element may have. No id, name or class: a name in the page that shows it might mean something there. */
const COMMON = words('align bgcolor color dir height lang style title valign width')

const OWN: Record<string, string[]> = {
  a: words('href rel target'),
  blockquote: words('type'),
  col: words('span'),
  colgroup: words('span'),
  font: words('face size'),
  hr: words('size noshade'),
  img: words('src alt border hspace vspace'),
  li: words('value type'),
  ol: words('start type reversed'),
  table: words('border cellpadding cellspacing summary'),
  td: words('colspan rowspan nowrap headers scope'),
  th: words('colspan rowspan nowrap headers scope'),
  ul: words('type'),
}

const OPTIONS = {
  allowedTags: TAGS,
  nonTextTags: DROPPED,
  allowedAttributes: { '*': COMMON, ...OWN },
  allowedSchemes: words('http https mailto tel'),
  allowedSchemesByTag: { img: words('http https cid data') },
  allowProtocolRelative: false,
  // Styles are read by our own hand (style.ts), so that no CSS parser need be carried.
  parseStyleAttributes: false,
  disallowedTagsMode: 'discard',
} as const satisfies sanitize.IOptions

function safeAttributes(tag: string, attribs: sanitize.Attributes, images: 'blocked' | 'remote'): sanitize.Attributes {
  const kept: sanitize.Attributes = {}
  const own = OWN[tag] ?? []
  for (const [name, value] of Object.entries(attribs)) {
    if (!COMMON.includes(name) && !own.includes(name)) continue
    if (name === 'style') {
      const style = safeStyle(value)
      if (style !== '') kept.style = style
    } else if (name === 'href' || name === 'src') {
      const url = name === 'href' ? linkUrl(value) : pictureUrl(value, images)
      if (url !== undefined) kept[name] = url
    } else if (value.length <= MAX_ATTRIBUTE) kept[name] = value
  }
  if (tag !== 'a') return kept
  const { target: _, rel: __, ...link } = kept
  // What opens must neither reach the page that shows the mail nor learn its address.
  return link.href === undefined ? link : { ...link, target: '_blank', rel: 'noopener noreferrer nofollow' }
}

/** A URL without what browsers pass over; a relative one would lead into the page that shows the mail. */
function linkUrl(written: string): string | undefined {
  const url = bare(written)
  return url !== undefined && /^(?:https?:\/\/|mailto:|tel:)/i.test(url) ? url : undefined
}

function pictureUrl(written: string, images: 'blocked' | 'remote'): string | undefined {
  const data = /^data:(image\/[a-z]{1,10});base64,[a-z0-9+/=\s]*$/i.exec(written.slice(0, MAX_HTML))
  if (data && isSafePicture(data[1] ?? '')) return written
  const url = bare(written)
  if (url === undefined) return undefined
  if (/^cid:/i.test(url)) return url
  return images === 'remote' && /^https?:\/\//i.test(url) ? url : undefined
}

/** Whether pictures of this type are nothing but pictures: one of SVG is a document, which may hold a script. */
export function isSafePicture(type: string): boolean {
  return /^image\/(?:png|gif|jpe?g|webp|bmp|avif)$/i.test(type)
}

function bare(written: string): string | undefined {
  const url = written.slice(0, MAX_URL + 1).replace(/[\0-\x20\x7f-\xa0\u2028\u2029\ufeff]/g, '')
  return written.length <= MAX_URL && !/[<>"'`\\]/.test(url) ? url : undefined
}
