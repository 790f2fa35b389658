import { expect, test } from 'vitest'
import { cidReferences, replaceReferences } from '../../src/mailbox/cid-references.ts'

const replaced = (html: string) => {
  const references = cidReferences(html)
  return replaceReferences(html, references, (at) => `[${references[at]?.contentId}]`)
}

test('a picture’s address is found however it is written', () => {
  expect(replaced('<img src="cid:a@b">')).toBe('<img src="[a@b]">')
  expect(replaced("<IMG alt='x' SRC = 'CID:a%40b' />")).toBe("<IMG alt='x' SRC = '[a@b]' />")
  expect(replaced('<img\nsrc=cid:a@b>')).toBe('<img\nsrc=[a@b]>')
  expect(replaced('<img src=" cid:a&amp;b ">')).toBe('<img src=" [a&b] ">')
  expect(replaced('<td background="cid:bg">')).toBe('<td background="[bg]">')
  expect(replaced('<video poster="cid:p"><input src="cid:i">')).toBe('<video poster="[p]"><input src="[i]">')
  expect(replaced('<p style="background: url(cid:s)">')).toBe('<p style="background: url([s])">')
  expect(replaced(`<p style="background: url('cid:s')">`)).toBe(`<p style="background: url('[s]')">`)
  expect(replaced('<p style="background: url(&quot;cid:s&quot;)">')).toBe(
    '<p style="background: url(&quot;[s]&quot;)">',
  )
  expect(replaced('<style>a{b:url(cid:s)}</style><img src="cid:t">')).toBe(
    '<style>a{b:url([s])}</style><img src="[t]">',
  )
  expect(replaced('a < b <img src="cid:x"> > c')).toBe('a < b <img src="[x]"> > c')
})

test('text that only looks like one is left alone, and so is whatever would run', () => {
  for (const html of [
    'cid:a <p>cid:a</p> src="cid:a"',
    '<!-- <img src="cid:a"> -->',
    '<a href="cid:a">',
    '<img alt="src=cid:a" data-src="cid:a" title=\'<img src="cid:a">\'>',
    '<iframe src="cid:a"></iframe><object data="cid:a"></object><embed src="cid:a"><script src="cid:a"></script>',
    '<script>x = \'<img src="cid:a">\'</script>',
    '<textarea><img src="cid:a"></textarea>',
    '<img src="xcid:a"><img src="https://x.test/cid:a"><img src>',
    '<p style="url(xcid:a)">',
  ]) {
    expect(replaced(html)).toBe(html)
  }
})

test('what is not replaced stays as it is, and a replacement’s dollars mean nothing', () => {
  const html = '<img src="cid:a"><img src="cid:b">'
  expect(replaceReferences(html, cidReferences(html), (at) => (at === 1 ? '$&$1' : undefined))).toBe(
    '<img src="cid:a"><img src="$&$1">',
  )
})

test('hostile HTML is read in linear time', () => {
  const million = (piece: string) => piece.repeat(Math.ceil(1_000_000 / piece.length))
  for (const piece of [
    '<',
    '<a ',
    '<img src=',
    '<img src="',
    '<style>',
    '<!--',
    '</',
    '<a =',
    ' ',
    '<p style="url( ',
    'url(    ',
    '<img src=cid:',
    "<a b='",
    '<script></scrip',
    '&amp;',
  ]) {
    for (const html of [
      million(piece),
      `<img ${million(piece)}`,
      `<style>${million(piece)}`,
      `<p style="${million(piece)}">`,
    ]) {
      const begun = performance.now()
      cidReferences(html)
      expect(performance.now() - begun, `${piece} ${html.slice(0, 20)}`).toBeLessThan(2000)
    }
  }
})
