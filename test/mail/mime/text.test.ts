import { expect, test } from 'vitest'
import { parseDate } from '../../../src/mail/mime/date.ts'
import { MimeIntake } from '../../../src/mail/mime/indexer.ts'
import { previewOf, visibleText } from '../../../src/mail/mime/preview.ts'
import { readBodies, toHtml, unflow } from '../../../src/mail/mime/text.ts'
import { mailBytes } from '../../fixtures/mail/mails.ts'

type Tree = Branch | string
interface Branch extends Array<Tree> {
  0: string
}

/** Writes a mail out of `[subtype, …]` and leaves `type|content`. */
function mail(tree: Tree, depth = 0): string {
  if (typeof tree === 'string') {
    const [type = '', content = ''] = tree.split('|')
    return `Content-Type: ${type}\r\n\r\n${content}`
  }
  const [kind, ...children] = tree
  const boundary = `b${depth}`
  return `Content-Type: multipart/${kind}; boundary=${boundary}\r\n\r\n${children.map((child) => `--${boundary}\r\n${mail(child, depth + 1)}\r\n`).join('')}--${boundary}--`
}

function bodies(tree: Tree) {
  const intake = new MimeIntake()
  intake.write(mailBytes(mail(tree)))
  const { root, skeleton } = intake.end()
  return readBodies(root, skeleton, new Set())
}

test('a mail has a text, an HTML, or both', () => {
  expect(bodies('text/plain|a')).toEqual({ text: 'a', html: undefined })
  expect(bodies('text/html|<b>a</b>')).toEqual({ text: undefined, html: '<b>a</b>' })
  expect(bodies(['alternative', 'text/plain|a', 'text/html|<b>a</b>'])).toEqual({ text: 'a', html: '<b>a</b>' })
  expect(bodies('image/png|a')).toEqual({ text: undefined, html: undefined })
})

test('parts that stand one below the other are put together, each form whole', () => {
  const list: Tree = [
    'mixed',
    ['alternative', 'text/plain|a', 'text/html|<b>a</b>'],
    'image/png|x',
    'text/plain|<footer>\r\nend',
  ]
  expect(bodies(list)).toEqual({ text: 'a\n<footer>\nend', html: '<b>a</b>\n<div>&lt;footer&gt;<br>\nend</div>' })
  expect(bodies(['mixed', 'text/plain|a', 'text/html|<p>b</p><p>c']).text).toBe('a\nb\n\nc')
})

test('the forms of one alternative are not repeated, however they nest', () => {
  expect(bodies(['alternative', 'text/plain|a', ['related', 'text/html|<b>a</b>', 'image/png|x']])).toEqual({
    text: 'a',
    html: '<b>a</b>',
  })
  const twice: Tree = ['alternative', 'text/plain|a', ['alternative', 'text/plain|b', 'text/html|c'], 'text/html|d']
  expect(bodies(twice)).toEqual({ text: 'a\nb', html: 'd\nc' })
})

test('a text that is an attachment is not read as the text of the mail', () => {
  expect(bodies(['mixed', 'text/plain|a', 'text/plain\r\nContent-Disposition: attachment|b']).text).toBe('a')
  expect(bodies(['mixed', 'text/plain|a', 'text/plain\r\nContent-Disposition: inline; filename=b.txt|b']).text).toBe(
    'a\nb',
  )
})

test('text whose charset is missing or lies about being ASCII is read by its bytes', () => {
  expect(bodies('text/plain|caf\xc3\xa9').text).toBe('café')
  expect(bodies('text/plain|caf\xe9').text).toBe('café')
  expect(bodies('text/plain; charset=us-ascii|caf\xc3\xa9').text).toBe('café')
  expect(bodies('text/plain; charset=utf-8|caf\xe9').text).toBe('caf\ufffd')
  expect(bodies('text/plain; charset=utf-16be|\0a\0b').text).toBe('ab')
  expect(bodies('text/plain|\xef\xbb\xbfa').text).toBe('a')
})

test('lines end in LF, whatever the sender wrote', () => {
  expect(bodies('text/plain|a\r\nb\rc\nd').text).toBe('a\nb\nc\nd')
})

test.each([
  ['a \nb', 'a b'],
  ['a \n \nb', 'a \nb'],
  ['> a \n> b\n> c \nd', '> a b\n> c \nd'],
  ['>> a \n>> b', '>> a b'],
  [' stuffed\n >not quoted', 'stuffed\n>not quoted'],
  ['text \n-- \nme', 'text \n-- \nme'],
  ['a\n\nb', 'a\n\nb'],
  ['', ''],
])('format=flowed %j is %j', (text, joined) => {
  expect(unflow(text, false)).toBe(joined)
})

test('a part says itself that its lines flow', () => {
  expect(bodies('text/plain; format=Flowed|a \r\nb').text).toBe('a b')
  expect(bodies('text/plain; format=flowed; delsp=Yes|wo \r\nrd').text).toBe('word')
  expect(bodies('text/plain|a \r\nb').text).toBe('a \nb')
})

test('with delsp the space at the break goes', () => {
  expect(unflow('wo \nrd', true)).toBe('word')
})

test.each([
  ['<p>Hello <b>wor</b>ld</p><p>bye', 'Hello world\n\nbye'],
  ['<head><title>x</title></head><style>p{}</style><!-- no --><script>1<2</script>yes', 'yes'],
  ['<STYLE>a</Style >b', 'b'],
  ['a<br>b<br/>c', 'a\nb\nc'],
  ['1 < 2 &amp; 3 &gt; 2&nbsp;&#8364;&#x20ac;&unknown; &#xd800;', '1 < 2 & 3 > 2 €€&unknown; \ufffd'],
  ['a<td>b', 'a b'],
  ['x<!-- never closed', 'x'],
  ['x<style> never closed', 'x'],
  ['x<a href="', 'x'],
  ['&lt;script&gt;', '<script>'],
  ['<!DOCTYPE html><html>\n  a\n b</html>', 'a b'],
])('%s shows as %j', (html, text) => {
  expect(visibleText(html)).toBe(text)
})

test('a preview is one line of what a reader sees first', () => {
  expect(previewOf('  Hello\n\n\tworld  ', '<p>other')).toBe('Hello world')
  expect(previewOf(' \n', '<p>From&nbsp;HTML')).toBe('From HTML')
  expect(previewOf(undefined, undefined)).toBe('')
  expect(previewOf('x'.repeat(1000), undefined)).toBe('x'.repeat(200))
  expect(previewOf(undefined, `<div>Sale${'&#847;&zwnj;&nbsp;\u200b'.repeat(50)}</div>now`)).toBe('Sale now')
  expect(previewOf(`${'x'.repeat(199)}😀`, undefined)).toBe(`${'x'.repeat(199)}😀`)
  expect(previewOf('a\u202eb\0c', undefined)).toBe('abc')
})

test('text becomes HTML that shows the same and runs nothing', () => {
  expect(toHtml('<a href="x">&\n')).toBe('<div>&lt;a href=&quot;x&quot;&gt;&amp;</div>')
})

const at = (text: string) => {
  const time = parseDate(text)
  return time === undefined ? undefined : new Date(time).toISOString()
}

test.each([
  ['Tue, 2 Jan 2024 03:04:05 +0100', '2024-01-02T02:04:05.000Z'],
  ['2 Jan 2024 03:04 GMT', '2024-01-02T03:04:00.000Z'],
  ['Tue, 02 Jan 24 03:04:05 EST (comment)', '2024-01-02T08:04:05.000Z'],
  ['2 January 1999 00:00:00 -0000', '1999-01-02T00:00:00.000Z'],
  ['1 Jan 99 00:00:00 GMT+0200', '1998-12-31T22:00:00.000Z'],
  ['1-Jan-2024 10:00:00 UT', '2024-01-01T10:00:00.000Z'],
  ['Thu,29 Feb 2024 23:59:60 +0000', '2024-03-01T00:00:00.000Z'],
  ['1 Jan 2024 10:00:00', '2024-01-01T10:00:00.000Z'],
  ['2024-01-02T03:04:05Z', '2024-01-02T03:04:05.000Z'],
  ['2024-01-02 03:04:05 +0100', '2024-01-02T02:04:05.000Z'],
  ['1 Jan 49 00:00:00 Z', '2049-01-01T00:00:00.000Z'],
  ['1 Jan 50 00:00:00 Z', '1950-01-01T00:00:00.000Z'],
  ['1 Jan 2024 00:60:00 Z', undefined],
  ['1 Jan 2024 00:00:61 Z', undefined],
  ['1st Jan 2024 00:00:00 Z', undefined],
  ['1 Foo 2024 00:00:00 Z', undefined],
  ['29 Feb 2023 00:00:00 +0000', undefined],
  ['1 Jan 2024 24:00:00 +0000', undefined],
  ['0 Jan 2024 00:00:00 +0000', undefined],
  ['1 Jan 2024 noon', undefined],
  ['yesterday', undefined],
  ['', undefined],
  ['('.repeat(100_000), undefined],
])('the date %.60s', (text, iso) => {
  expect(at(text)).toBe(iso)
})
