/** What rules make of a mail: pure, so that each operator and each clash has its line here. */
import { expect, test } from 'vitest'
import { Action, Condition } from '../../../src/contract/rules/shapes.ts'
import { type AskedRule, readRule } from '../../../src/directory/receiving/rule.ts'
import { Facts } from '../../../src/reception/rules/facts.ts'
import { judge, TooMuchWork } from '../../../src/reception/rules/judge.ts'
import { fold, matchesGlob } from '../../../src/reception/rules/match.ts'

type Given = { text?: string; headers?: [string, string][]; subject?: string; from?: string[] }

function mail({ text = 'Hello there', headers = [], subject = 'Re: Your INVOICE', from }: Given = {}): Facts {
  const described = {
    sender: 'bounce@list.test',
    recipient: 'me+shop@demo.test',
    address: 'me@demo.test',
    tag: 'shop',
    parties: {
      from: from ?? ['"Ann, B." <ann@x.test>'],
      to: ['me@demo.test', 'Bob <bob@y.test>'],
      cc: [],
      bcc: [],
      reply_to: [],
    },
    subject,
    size: 1000,
    hasAttachment: true,
    verdicts: { spf: 'pass', dkim: 'fail', dmarc: null },
    marks: { list: { id: 'l.test' } },
  }
  const attachment = {
    path: '2',
    filename: 'Отчёт.PDF',
    type: 'application/pdf',
    disposition: null,
    contentId: null,
    size: 1,
    related: false,
  }
  return new Facts(described, { headers, text, html: undefined, attachments: [attachment] })
}

const rule = (conditions: Condition[], more: Partial<AskedRule> = {}): AskedRule => ({
  id: 'r1',
  name: 'R',
  match: 'all',
  conditions,
  actions: [{ mark_read: true }],
  stop: false,
  ...more,
})

const holds = (condition: Condition, facts = mail()) => judge([rule([condition])], facts).answers[0]?.matched

test('every field can be asked, and letters’ case, width and composition do not matter', () => {
  const held: [string, Condition['op'], Condition['value']?][] = [
    ['envelope_from', 'is', 'BOUNCE@list.test'],
    ['envelope_to', 'starts_with', 'me+'],
    ['address', 'is', 'me@demo.test'],
    ['tag', 'in', ['news', 'SHOP']],
    ['from', 'is', 'ann@x.test'],
    ['from', 'is', 'Ann, B.'],
    ['from', 'ends_with', '@x.test'],
    ['to', 'contains', 'bob'],
    ['to', 'is', 'bob@y.test'],
    ['subject', 'contains', 'invoice'],
    ['subject', 'contains', 'ＩＮＶＯＩＣＥ'],
    ['subject', 'matches', 're:*inv?ice'],
    ['filename', 'ends_with', '.pdf'],
    ['filename', 'starts_with', 'отче\u0308т'],
    ['attachment_type', 'is', 'application/pdf'],
    ['spf', 'is', 'pass'],
    ['dkim', 'in', ['fail', 'none']],
    ['text', 'contains', 'hello  THERE'],
    ['tag', 'exists'],
    ['size', 'larger_than', 999],
    ['size', 'smaller_than', 1001],
    ['has_attachment', 'is', true],
    ['list', 'is', true],
    ['auto', 'is', false],
  ]
  for (const [field, op, value] of held) {
    const condition = Condition.parse({ field, op, ...(value === undefined ? {} : { value }) })
    expect(holds(condition), `${field} ${op} ${value}`).toBe(true)
    expect(holds({ ...condition, not: true }), `not ${field} ${op} ${value}`).toBe(false)
  }
  const not: [string, Condition['op'], Condition['value']?][] = [
    ['cc', 'exists'],
    ['dmarc', 'exists'],
    ['from', 'is', 'x.test'],
    ['subject', 'is', 'invoice'],
    ['size', 'larger_than', 1000],
    ['size', 'smaller_than', 1000],
    ['auto', 'is', true],
    ['subject', 'in', ['invoice']],
  ]
  for (const [field, op, value] of not) {
    expect(holds(Condition.parse({ field, op, ...(value === undefined ? {} : { value }) })), `${field} ${op}`).toBe(
      false,
    )
  }
})

test('what is empty does not exist; a header does, whatever its value', () => {
  const exists = (field: string, facts: Facts) => holds({ field, op: 'exists' }, facts)
  expect(exists('subject', mail())).toBe(true)
  expect(exists('subject', mail({ subject: ' ' }))).toBe(false)
  expect(exists('text', mail({ text: '' }))).toBe(false)
  expect(exists('header:x-ad', mail({ headers: [['X-Ad', '']] }))).toBe(true)
})

test('each of many senders is asked, in every spelling', () => {
  const from = Array.from({ length: 150 }, (_, at) => `N${at} <a${at}@x.test>`)
  expect(holds({ field: 'from', op: 'is', value: 'a149@x.test' }, mail({ from }))).toBe(true)
})

test('a mail of characters that unfold to many does not put the rules out of work', () => {
  const texts = Array.from({ length: 300 }, (_, at) =>
    Condition.parse({ field: 'text', op: 'contains', value: `w${at}` }),
  )
  const headers = Array.from({ length: 300 }, (): [string, string] => ['X-Ad', '\ufdfa'.repeat(4096)])
  const adverts = texts.map((condition) => ({ ...condition, field: 'header:x-ad' }))
  const facts = mail({ text: '\ufdfa'.repeat(32 * 1024), headers })
  const last = rule([{ field: 'from', op: 'is', value: 'ann@x.test' }], { actions: [{ reject: 'no' }] })
  expect(judge([rule(texts, { match: 'any' }), rule(adverts, { match: 'any' }), last], facts).ruling.reject).toBe('no')
})

test('any header can be asked, decoded, each of its values', () => {
  const headers: [string, string][] = [
    ['X-Spam-Flag', 'YES'],
    ['X-Name', '=?utf-8?B?0J/RgNC40LLQtdGC?='],
    ['Received', 'from a'],
    ['Received', 'from b'],
  ]
  const asked = (name: string, op: Condition['op'], value?: string) =>
    holds({ field: `header:${name}`, op, ...(value ? { value } : {}) }, mail({ headers }))
  expect(asked('x-spam-flag', 'is', 'yes')).toBe(true)
  expect(asked('X-Name', 'is', 'привет')).toBe(true)
  expect(asked('received', 'contains', 'b')).toBe(true)
  expect(asked('__proto__', 'exists')).toBe(false)
  expect(asked('constructor', 'exists')).toBe(false)
})

test('a glob is the whole text: stars are any run, a question mark is one character', () => {
  const yes = [
    ['', '*'],
    ['', ''],
    ['abc', 'abc'],
    ['abc', 'a*c'],
    ['ac', 'a*c'],
    ['abcbc', 'a*bc'],
    ['abc', '?b?'],
  ].concat([
    ['xaxbx', '*a*b*'],
    ['aab', '*ab'],
    ['abab', '*ab*ab'],
    ['a*c', 'a*c'],
    ['mississippi', 'm*iss*ip*i'],
  ])
  const no = [
    ['abc', 'ab'],
    ['abc', 'bc'],
    ['', '?'],
    ['ab', '*ab*ab'],
    ['aba', 'ab*ba'],
    ['abc', '?b'],
    ['a', 'a?'],
  ]
  for (const [text = '', pattern = ''] of yes) expect(matchesGlob(text, pattern), `${text} ${pattern}`).toBe(true)
  for (const [text = '', pattern = ''] of no) expect(matchesGlob(text, pattern), `${text} ${pattern}`).toBe(false)
})

test('a glob agrees with a plain search through all ways there are', () => {
  const all = (text: string, pattern: string): boolean => {
    if (pattern === '') return text === ''
    if (pattern[0] === '*') return all(text, pattern.slice(1)) || (text !== '' && all(text.slice(1), pattern))
    return text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && all(text.slice(1), pattern.slice(1))
  }
  const words = (letters: string, length: number): string[] =>
    length === 0
      ? ['']
      : words(letters, length - 1).flatMap((word) => [word, ...[...letters].map((letter) => word + letter)])
  const texts = [...new Set(words('ab', 5))]
  for (const pattern of new Set(words('ab*?', 4))) {
    for (const text of texts) expect(matchesGlob(text, pattern), `${text} ~ ${pattern}`).toBe(all(text, pattern))
  }
})

test('without conditions a rule is for every mail; any needs one that holds, all needs each', () => {
  const yes = Condition.parse({ field: 'size', op: 'larger_than', value: 1 })
  const no = { ...yes, not: true }
  const matched = (match: 'all' | 'any', conditions: Condition[]) =>
    judge([rule(conditions, { match })], mail()).answers[0]?.matched
  expect(matched('all', [])).toBe(true)
  expect(matched('any', [])).toBe(true)
  expect(matched('all', [yes, no])).toBe(false)
  expect(matched('any', [no, yes])).toBe(true)
  expect(matched('any', [no, no])).toBe(false)
})

test('the first rule that says where a mail goes decides; all else adds up', () => {
  const junk = { move: 'junk', box: { number: 5, name: 'junk' } }
  const rules = [
    rule([], { id: 'a', name: 'A', actions: [{ keyword: 'one' }, junk] }),
    rule([], { id: 'b', name: 'B', actions: [{ drop: true }, { keyword: 'two' }, { forward: ['f@x.test'] }] }),
    rule([], { id: 'c', name: 'C', actions: [{ reject: 'no' }] }),
    rule([], { id: 'e', name: 'E', actions: [{ move: 'archive', box: { number: 4, name: 'archive' } }] }),
    rule([], {
      id: 'd',
      name: 'D',
      actions: [{ webhook: true }, { keyword: 'one' }, { forward: ['f@x.test', 'g@x.test'] }],
    }),
  ]
  const { ruling } = judge(rules, mail())
  expect(ruling).toMatchObject({
    box: { number: 5, name: 'junk' },
    dropped: false,
    keywords: ['one', 'two'],
    forward: ['f@x.test', 'g@x.test'],
    tell: [{ id: 'd', name: 'D' }],
    matched: [{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'e' }, { id: 'd' }],
  })
  expect(ruling.reject).toBeUndefined()
})

test('dropped mail lies in Trash, read and marked; stop and reject end the asking', () => {
  const drop = rule([], { id: 'x', actions: [{ drop: true }], stop: true })
  const { ruling, answers } = judge([drop, rule([])], mail())
  expect(ruling).toMatchObject({ box: { number: 6, name: 'trash' }, dropped: true, keywords: ['$dropped', '$seen'] })
  expect(answers.map(({ asked }) => asked)).toEqual([true, false])
  const rejected = judge([rule([], { actions: [{ reject: 'Not here' }] }), rule([])], mail())
  expect(rejected.ruling.reject).toBe('Not here')
  expect(rejected.answers.map(({ asked }) => asked)).toEqual([true, false])
})

test('what a field cannot be asked, and what contradicts itself, is refused by name', () => {
  const faults = (value: unknown, schema: typeof Condition | typeof Action = Condition) =>
    schema.safeParse(value).error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  expect(faults({ field: 'colour', op: 'is', value: 'x' })).toEqual(['field: is no field that a condition can be on'])
  expect(faults({ field: 'header:a b', op: 'is', value: 'x' })?.[0]).toMatch(/^field/)
  expect(faults({ field: 'size', op: 'contains', value: 5 })?.[0]).toMatch(/^op: must be one of larger_than/)
  expect(faults({ field: 'size', op: 'larger_than', value: '5' })?.[0]).toMatch(/^value: must be a number/)
  expect(faults({ field: 'from', op: 'in', value: 'x' })?.[0]).toMatch(/^value: must be a list/)
  expect(faults({ field: 'from', op: 'exists', value: 'x' })?.[0]).toMatch(/^value: must be left out/)
  expect(faults({ field: 'list', op: 'is', value: 'x' })?.[0]).toMatch(/^value: must be true or false/)
  expect(faults({ move: 'junk', drop: true }, Action)?.[0]).toMatch(/exactly one of move, keyword/)
  expect(faults({}, Action)?.[0]).toMatch(/exactly one of/)
})

test('as many rules as an account may have, asked of a hostile text, take a bounded time', () => {
  const text = 'a'.repeat(10_000_000)
  const piece = `${'a'.repeat(30)}b`
  const conditions = (op: Condition['op'], value: string, count: number) =>
    Array.from({ length: count }, () => Condition.parse({ field: 'text', op, value }))
  // About 64 KiB of rules, which is all that an account may have.
  const contains = rule(conditions('contains', `${piece}`, 700), { match: 'any' })
  const mirrored = rule(conditions('contains', `b${'a'.repeat(30)}`, 700), { match: 'any' })
  const globs = rule(conditions('matches', `*${'a?'.repeat(15)}b*`, 700), { match: 'any' })
  for (const hostile of [contains, mirrored, globs]) {
    const began = performance.now()
    try {
      expect(judge([hostile], mail({ text })).ruling.matched).toEqual([])
    } catch (error) {
      expect(error).toBeInstanceOf(TooMuchWork)
    }
    expect(performance.now() - began).toBeLessThan(3000)
  }
})

test('folding makes one spelling of all white space and forms', () => {
  expect(fold(' \u00a0ﬁne\r\n\t Straße ')).toBe('fine straße')
  expect(fold(fold('ǅ İ ẞ'))).toBe(fold('ǅ İ ẞ'))
  expect(readRule('{"match":"all","conditions":[],"actions":[],"stop":false}').stop).toBe(false)
})
