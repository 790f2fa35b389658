import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MAX_HTML, MAX_HTML_DEPTH, safeHtml } from '../../../src/mail/safe-html/safe-html.ts'

const payloads = new URL('../../../../shared/corpora/html/payloads.json', import.meta.url)
const safe = (html: string) => safeHtml(html, 'blocked').html

/** Elements that only show text. Our own list, by hand: what the code allows must be within it. */
const SHOWING = new Set(
  (
    'a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del dfn dir div ' +
    'dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q s ' +
    'samp section small span strike strong sub sup table tbody td tfoot th thead time tr tt u ul var wbr'
  ).split(' '),
)

/** What is wrong with HTML that is to be shown: anything that is not a known tag, written in the one plainest way. */
function dangers(html: string): string[] {
  const found: string[] = []
  for (const piece of html.split(/(<[^>]*>?)/)) {
    if (!piece.startsWith('<')) continue
    const tag = /^<(\/?)([a-z][a-z0-9]*)((?: [a-z]+(?:="[^"<>]*")?)*)(?: \/)?>$/.exec(piece)
    if (!tag || !SHOWING.has(tag[2] ?? '')) found.push(piece)
    for (const [, name = '', value = ''] of (tag?.[3] ?? '').matchAll(/ ([a-z]+)="([^"]*)"/g)) {
      const bad =
        /^on|^(?:id|name|class|srcset|action|formaction|background|srcdoc|ping|poster|form)$/.test(name) ||
        (name === 'href' && !/^(?:https?:\/\/|mailto:|tel:)/i.test(value)) ||
        (name === 'src' && !/^(?:cid:|data:image\/(?:png|gif|jpe?g|webp|bmp|avif);base64,)/i.test(value)) ||
        (name === 'style' &&
          /url|expression|import|\\|\/\*|@|position|z-index|behaviou?r|binding|image-set/i.test(value))
      if (bad) found.push(`${name}=${value}`)
    }
  }
  return found
}

const ATTACKS = [
  '<script>alert(1)</script>',
  '<SCRIPT/x>alert(1)</SCRIPT >',
  '<img src=x onerror=alert(1)>',
  '<img/src/onerror=alert(1)>',
  '<a href="javascript:alert(1)">x</a>',
  '<a href=" java\tscript:alert(1)">x</a>',
  '<a href="&#x6a;avascript&colon;alert(1)">x</a>',
  '<a href="jav&Tab;ascript:alert(1)">x</a>',
  '<a href="data:text/html,<script>alert(1)</script>">x</a>',
  '<a href="vbscript:x">x</a><a href="//evil.test">x</a><a href="/v1/delete">x</a><a href="#top">x</a>',
  '<a href="https://x.test/&quot; onclick=&quot;alert(1)">x</a>',
  '<img src="data:image/svg+xml;base64,PHN2Zz4=">',
  '<img src="data:text/html;base64,PHN2Zz4=">',
  '<svg><style><img src=x onerror=alert(1)></style></svg>',
  '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
  '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
  '<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
  '<textarea><img src=x onerror=alert(1)></textarea><title><b onclick=x></title>',
  '<select><template><img src=x onerror=alert(1)></template></select>',
  '<xmp><img src=x onerror=alert(1)></xmp><plaintext><img src=x onerror=alert(1)>',
  '<iframe srcdoc="<script>alert(1)</script>"></iframe><iframe src="javascript:alert(1)">',
  '<object data="javascript:alert(1)"></object><embed src="x"><applet code=x>',
  '<meta http-equiv=refresh content="0;url=javascript:alert(1)"><base href="https://evil.test/"><link rel=stylesheet href=x>',
  '<form action="https://evil.test"><input name=p type=password><button formaction=javascript:alert(1)>x</button></form>',
  '<div style="background:url(https://evil.test/p.gif)">x</div>',
  '<div style="background:u\\72l(https://evil.test/p.gif)">x</div>',
  '<div style="width:expression(alert(1));color:red">x</div>',
  '<div style="color:red;/*;*/position:fixed;top:0;z-index:9999;margin:-999px">x</div>',
  '<div style="background:image-set(\'x.png\' 1x);content:attr(x);-moz-binding:url(x);behavior:url(x)">x</div>',
  '<style>@import url(https://evil.test/a.css);</style><style>*{background:url(x)}',
  '<table background="https://evil.test/p.gif"><td background="javascript:alert(1)">x</td></table>',
  '<video src=x onerror=alert(1) poster=https://evil.test/p.gif></video><audio src onerror=alert(1)>',
  '<a id=document name=cookie class="admin-button" href="https://x.test">x</a>',
  '<img srcset="https://evil.test/p.gif 1x" src="https://evil.test/p.gif">',
  '<!--><img src=x onerror=alert(1)>--><![CDATA[<img src=x onerror=alert(1)>]]><?php <img src=x onerror=1> ?>',
  '<b title="&lt;/b&gt;&lt;script&gt;">x</b></scr<script>ipt>alert(1)</script>',
  '<a href="https://x.test" target="_self" rel="opener">x</a>',
  '\u0000<scr\u0000ipt>alert(1)</scr\u0000ipt><img\u0000src=x onerror=alert(1)>',
  '<p constructor=x __proto__=y toString=z>x</p>',
]

describe('nothing of a stranger’s HTML runs, loads, covers or posts', () => {
  test.each(ATTACKS)('%s', (html) => {
    const clean = safe(html)
    expect(dangers(clean)).toEqual([])
    // What a browser reads out of it is the same again, so no second look can find more.
    expect(safe(clean)).toBe(clean)
  })

  test.skipIf(!existsSync(payloads))('payloads of a sanitiser’s own tests', () => {
    const all: { title?: string; payload: string }[] = JSON.parse(readFileSync(payloads, 'utf8'))
    expect(all.length).toBeGreaterThan(200)
    expect(all.flatMap(({ title, payload }) => dangers(safe(payload)).map((danger) => `${title}: ${danger}`))).toEqual(
      [],
    )
  })
})

test('what shows text stays as it was written', () => {
  const html =
    '<table border="1"><tbody><tr><td colspan="2" style="color: red; padding: 0 4px">Grüße &amp; <b>Salom</b></td></tr></tbody></table>'
  expect(safe(`<html><head><title>x</title><style>p{}</style></head><body>${html}</body></html>`)).toBe(html)
  expect(safe('<p style="font-family: \'Segoe UI\', serif; color: rgb(1, 2, 3)">x</p>')).toBe(
    '<p style="font-family: \'Segoe UI\', serif; color: rgb(1, 2, 3)">x</p>',
  )
})

test('of a style stays what changes how text looks, not where it lies', () => {
  const style = 'color: RED; margin: -9px; position: fixed; padding: 1px -2px; text-indent: -999px; margin-left: 4px'
  expect(safe(`<p style="${style}">x</p>`)).toBe('<p style="color: RED; padding: 1px -2px; margin-left: 4px">x</p>')
  expect(safe('<p style="position: fixed">x</p>')).toBe('<p>x</p>')
})

test('a link opens apart from the page that shows it', () => {
  expect(safe('<a href="https://x.test/?a=1&amp;b" target="_top">x</a><a href="mailto:a@b.test">y</a><a>z</a>')).toBe(
    '<a href="https://x.test/?a=1&amp;b" target="_blank" rel="noopener noreferrer nofollow">x</a>' +
      '<a href="mailto:a@b.test" target="_blank" rel="noopener noreferrer nofollow">y</a><a>z</a>',
  )
})

test('a URL longer than any program opens is left out, not cut', () => {
  expect(safe(`<a href="https://x.test/${'a'.repeat(5000)}">x</a>`)).toBe('<a>x</a>')
})

test('pictures of elsewhere stay out until they are asked for; the mail’s own stay', () => {
  const html = '<img src="https://x.test/p.gif" alt="P"><img src="cid:a@b"><img src="data:image/png;base64,AAAA">'
  const own = '<img src="cid:a@b" /><img src="data:image/png;base64,AAAA" />'
  expect(safeHtml(html, 'blocked')).toEqual({ html: `<img alt="P" />${own}`, blocked: 1, problems: [] })
  expect(safeHtml(html, 'remote')).toMatchObject({
    html: `<img src="https://x.test/p.gif" alt="P" />${own}`,
    blocked: 0,
  })
})

test('HTML that is too long is cut, and that which nests too deep is given as its text: both are told', () => {
  const long = safeHtml('<p>x</p>'.repeat(MAX_HTML / 4), 'blocked')
  expect([long.problems, long.html.length]).toEqual([['html_limit'], MAX_HTML])
  const deep = safeHtml(`${'<b>'.repeat(MAX_HTML_DEPTH + 1)}Hello & <script>bye</script>`, 'blocked')
  expect(deep).toEqual({ html: '<div>Hello &amp;</div>', blocked: 0, problems: ['html_depth'] })
  expect(safeHtml(`${'<b>'.repeat(MAX_HTML_DEPTH)}Hello`, 'blocked').problems).toEqual([])
})

const fill = (piece: string, size: number) => piece.repeat(Math.ceil(size / piece.length))

test.each([
  ['tags that open', (size: number) => fill('<b>', size)],
  ['tags that close nothing', (size: number) => `${'<b>'.repeat(900)}${fill('</i>', size)}`],
  ['paragraphs', (size: number) => fill('<p>', size)],
  ['attributes', (size: number) => `<p ${Array.from({ length: size / 9 }, (_, at) => `a${at}=1`).join(' ')}>`],
  ['one URL of comments', (size: number) => `<a href="${fill('<!--x-->', size)}">`],
  ['short URLs of comments', (size: number) => fill(`<a href="${'<!--x-->'.repeat(400)}">`, size)],
  ['noscript in tags', (size: number) => fill('<b><noscript></b>', size)],
  ['frames', (size: number) => fill('<iframe><p>', size)],
  ['comments', (size: number) => fill('<!--', size)],
  ['less-than signs', (size: number) => fill('<', size)],
  ['ampersands', (size: number) => fill('&', size)],
  ['styles', (size: number) => fill(`<p style="${'a:b(;'.repeat(700)}">`, size)],
  ['a data URL', (size: number) => `<img src="data:image/png;base64,${fill('A ', size)}!">`],
])('a bomb of %s takes time that grows with its size', (_, bomb) => {
  const time = (html: string) => {
    const start = performance.now()
    safeHtml(html, 'blocked')
    return performance.now() - start
  }
  const quarter = bomb(MAX_HTML / 4)
  const whole = bomb(MAX_HTML)
  time(quarter)
  const small = Math.min(time(quarter), time(quarter), time(quarter))
  // Four times the size takes four times as long; the square would take sixteen. The sum is for what a busy machine does meanwhile.
  expect(Math.min(time(whole), time(whole))).toBeLessThan(10 * small + 400)
})
