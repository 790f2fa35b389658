import { expect, test } from 'vitest'
import { concat, fromUtf8, utf8 } from '../../src/base/bytes.ts'
import { JsonMembers, parsePieces, unescapePieces } from '../../src/base/json-members.ts'

function read(text: string, step = text.length, most = 1000) {
  const members = new JsonMembers(new Map([['raw', most]]))
  const bytes = utf8(text)
  for (let at = 0; at < bytes.length; at += Math.max(1, step)) members.write(bytes.slice(at, at + step))
  return members.end()?.get('raw')
}

const text = (pieces: Uint8Array[] | undefined) => {
  const read = unescapePieces(pieces)
  return read && fromUtf8(concat(read))
}

test('a member is found at the top alone, wherever the text is cut', () => {
  const value = 'a "quoted" \\ \n \u0001 é € 👋 /'
  const object = { before: { raw: 'no' }, list: ['raw', { raw: 'no' }], 'x"raw': 'no', raw: value, after: '{"raw":1' }
  const escaped = JSON.stringify(object, undefined, 1).replace(/[^\0-\x7f]/g, (unit) =>
    `\\u${unit.charCodeAt(0).toString(16)}`.replace(/u(..)$/, 'u00$1'),
  )
  for (const written of [JSON.stringify(object), escaped]) {
    for (const step of [1, 2, 3, 5, 7, 11, 1000]) expect(text(read(written, step)), `${step}`).toBe(value)
  }
})

test('of a repeated member the first counts; one of another kind is told as it is', () => {
  expect(text(read('{"raw":"a","raw":"b"}'))).toBe('a')
  expect(text(read('{"raw":{"raw":"b"}}'))).toBeUndefined()
  expect(parsePieces(read('{"raw":[1,{"a":"]}"}],"b":2}'))).toEqual([1, { a: ']}' }])
  expect(parsePieces(read('{"raw" : null }'))).toBeNull()
  expect(read('{}')).toBeUndefined()
  expect(parsePieces(undefined)).toBeUndefined()
})

test('half a pair of surrogates is told as one that is missing', () => {
  for (const [written, is] of [
    ['\\ud83d', '\ufffd'],
    ['\\ud83dx', '\ufffdx'],
    ['\\ud83d\\n', '\ufffd\n'],
    ['\\ud83d\\u0041', '\ufffdA'],
    ['\\ud83d\\ud83d\\udc4b', '\ufffd👋'],
    ['\\udc4b', '\ufffd'],
  ] as const) {
    for (const step of [1, 4, 100]) expect(text(read(`{"raw":"${written}"}`, step)), written).toBe(is)
  }
})

test('what is cut, or no object, is nothing', () => {
  const whole = '{"a":[{"b":"}"}],"raw":"x\\u0041"}'
  expect(text(read(whole))).toBe('xA')
  for (let length = 0; length < whole.length; length++)
    expect(read(whole.slice(0, length)), `${length}`).toBeUndefined()
  for (const broken of [`${whole}}`, `${whole}{`, `[${whole}]`, `x${whole}`, `${whole}x`, '}{"raw":"x"}', '"raw"']) {
    expect(read(broken), broken).toBeUndefined()
  }
  for (const broken of ['"\\x"', '"\\u00g0"', '"a" "b"', 'x"a"'])
    expect(text(read(`{"raw":${broken}}`)), broken).toBeUndefined()
})

test('a value larger than it may be is refused while it comes, and another may be of any size', () => {
  expect(text(read(`{"a":"${'x'.repeat(5000)}","raw":"y"}`, 100))).toBe('y')
  expect(() => read(`{"raw":"${'x'.repeat(5000)}"}`, 100)).toThrow('larger')
})
