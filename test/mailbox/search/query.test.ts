import { expect, test } from 'vitest'
import { matchOf } from '../../../src/mailbox/search/match.ts'
import { readQuery } from '../../../src/mailbox/search/query.ts'
import { marksIn } from '../../../src/mailbox/search/snippet.ts'
import { indexable, wordsOf } from '../../../src/mailbox/search/words.ts'

/** The index's expression, its private characters shown as #. */
const match = (q: string) => matchOf(readQuery(q)).replaceAll('\ue000', '#')

test.each([
  ['invoice', '"invoice"'],
  ['Invoice  paid', '"invoice" AND "paid"'],
  ['"paid in full"', '"paid in full"'],
  ['“paid in full”', '"paid in full"'],
  ['«оплачено»', '"оплачено"'],
  ['invoi*', '"invoi" *'],
  ['INV-2026/001', '"inv 2026 001"'],
  ['from:ann', '(sender : "ann")'],
  ['FROM:ann@far.test', '(sender : "ann far test")'],
  ['to:bob cc:"Eve Hall"', '(recipients : "bob") AND (copies : "eve hall")'],
  ['subject:inv*', '(subject : "inv" *)'],
  ['filename:report.pdf body:total', '(files : "report pdf") AND (body : "total")'],
  ['invoice -draft', '("invoice") NOT ("draft")'],
  ['-draft', '("#m") NOT ("draft")'],
  ['-from:ann -"two words" x', '("x") NOT ((sender : "ann") OR "two words")'],
  ['has:attachment', '("#a")'],
  ['-has:attachment tax', '("tax") NOT (("#a"))'],
  ['is:sent tax', '"tax" AND ("#s")'],
  ['is:unread', '"#m"'],
  ['in:inbox tax', '"tax"'],
  ['larger:512M', '("#z29" OR "#z30")'],
  ['larger:10', '"#m"'],
  ['after:2098-11-29', '("#d20981129" OR "#d20981130" OR "#n209812" OR "#y2099")'],
  ['after:2026-01-30 before:2026-04-02', '("#d20260130" OR "#d20260131" OR "#n202602" OR "#n202603" OR "#d20260401")'],
  ['-before:2025 before:2027', '("#y2025" OR "#y2026")'],
  ['before:2026 after:2026', '("#x")'],
  ['日', '"日" *'],
  ['日本語', '"日本 本語"'],
  ['"日 本語"', '"日 本語"'],
  ['http://far.test/a?b=1', '"http far test a b 1"'],
  ['"12:30"', '"12 30"'],
  ['12:30', '"12 30"'],
  ['tax ...', '"tax"'],
  ["o'zbek", '"ozbek"'],
  ['1½ ⑴ ﷺ', '"112" AND "1" AND "صلىاللهعليهوسلم"'],
  ["john's book", '"johns" AND "book"'],
  ['"john\'s book"', '"johns john book"'],
])('%s is looked for as %s', (q, expression) => {
  expect(match(q)).toBe(expression)
})

test('no query says anything to the index but words: whatever is typed, each is quoted and holds letters and digits', () => {
  const hostile = [
    'foo OR rowid:*',
    'NEAR(a b, 10)',
    '"a" NEAR "b"',
    '{subject sender} : x',
    'a AND NOT b',
    '^start',
    'a + b',
    '"un"quoted" x',
    "a'; DROP TABLE words; --",
    'a\0b',
    '\ue000m \ue000i0191',
    'x"\ue000m"',
    '*',
    '(a',
    'words MATCH x',
    'message : 1',
    '﻿a\u2028b',
    '\ud800x',
  ]
  for (const q of hostile) {
    const expression = attempt(() => matchOf(readQuery(q)))
    if (expression === undefined) continue
    const bare = expression.replace(/"[\p{L}\p{N}\p{M} ]+"/gu, 'W')
    expect(bare, q).toMatch(/^(\()?W( \*)?( AND W( \*)?)*(\))?( NOT \(W( \*)?( OR W( \*)?)*\))?$/)
  }
})

test.each([
  ['', /no word/],
  ['   ', /no word/],
  ['!!! ...', /no word/],
  ['🎉', /no word/],
  ['form:ann', /there is no form:.*from:/],
  ['Re: hello', /there is no re:/],
  ['from:', /from: has no value/],
  ['from: ann', /from: has no value/],
  ['from:...', /no word to look for/],
  ['has:stars', /has: takes attachment/],
  ['is:toString', /is: takes unread/],
  ['before:yesterday', /before: takes a date/],
  ['after:2026-02-30', /after: takes a date/],
  ['larger:big', /larger: takes a size/],
  ['ab*', /at least 3 letters/],
  ['a '.repeat(33), /at most 32 terms/],
  ['日'.repeat(200), /at most 128 words/],
  ['a'.repeat(513), /at most 512 characters/],
])('%s is refused, and why is said', (q, why) => {
  expect(() => readQuery(q)).toThrow(why)
})

test('every term at fault is named', () => {
  try {
    readQuery('form:ann larger:big has:stars')
    expect.unreachable()
  } catch (error) {
    expect(error).toMatchObject({
      code: 'invalid_parameter',
      detail: { fields: [{ path: 'q' }, { path: 'q' }, { path: 'q' }] },
    })
  }
})

test('dates and sizes are read as people write them', () => {
  const conditions = readQuery(
    'after:2026 before:2026-03 -before:2026/1/5 after:2026-01-01T10:00Z larger:2k smaller:10MB',
  ).conditions
  expect(conditions).toEqual([
    { kind: 'after', time: Date.UTC(2026, 0), not: false },
    { kind: 'before', time: Date.UTC(2026, 2), not: false },
    { kind: 'before', time: Date.UTC(2026, 0, 5), not: true },
    { kind: 'after', time: Date.UTC(2026, 0, 1, 10), not: false },
    { kind: 'larger', octets: 2048, not: false },
    { kind: 'smaller', octets: 10 * 1024 * 1024, not: false },
  ])
})

test('words found are marked where they stand, and only they', () => {
  const marked = (q: string, text: string) => marksIn(text, readQuery(q)).map(([start, end]) => text.slice(start, end))
  expect(marked('münchen', 'Grüße aus München!')).toEqual(['München'])
  expect(marked("o'zbek*", 'Bu oʻzbekcha xat')).toEqual(['oʻzbekcha'])
  expect(marked('"of the day"', 'Word of the day, the day of it')).toEqual(['of the day'])
  expect(marked('the day', 'Word of the day')).toEqual(['the', 'day'])
  expect(marked('請求書', '御請求書の件')).toEqual(['請求書'])
  expect(marked('書', '御請求書の件')).toEqual(['書'])
  expect(marked('件', '御請求書の件')).toEqual(['件'])
  expect(marked('subject:word from:word -the', 'Word of the day')).toEqual([])
  expect(marked('a', '<b>a</b> a')).toEqual(['a', 'a'])
})

test('two hundred thousand characters of anything become words in a moment', () => {
  for (const piece of ["o'", 'a\u0301', '日', "a'b'", 'é\u00ad', '\u0301', ' -', 'ʻ', '"', 'ab:', 'ﾊﾞ']) {
    const text = piece.repeat(200_000 / piece.length)
    const began = performance.now()
    wordsOf(text)
    expect(performance.now() - began, piece).toBeLessThan(5000)
  }
})

test('a word of a million letters is kept by its beginning', () => {
  expect(indexable('x'.repeat(1_000_000))).toBe('x'.repeat(64))
  expect(match('y'.repeat(500))).toBe(`"${'y'.repeat(64)}"`)
})

function attempt<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}
