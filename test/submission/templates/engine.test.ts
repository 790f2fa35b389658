import { expect, test } from 'vitest'
import { escapeHtml, fill, placesIn } from '../../../src/submission/templates/engine.ts'

const show = (text: string) => [...placesIn(text)].map(({ name, raw }) => `${raw ? 'raw ' : ''}${name}`)

test('two braces and three make a place; whatever else has braces stays as it stands', () => {
  expect(show('{{A}} {{{B}}} {{ c_1 }} {{{\tD }}}')).toEqual(['A', 'raw B', 'c_1', 'raw D'])
  const none = '{A} {{}} {{{}}} {{A B}} {{a.b}} {{#if A}} {{A|B}} { {A}} {{A} } {{é}} @media{{x:y}} {{ {{'
  expect(show(none)).toEqual([])
  expect(fill(none, () => 'x', 1000)).toBe(none)
  expect(fill('{{{A}} {{A}}} {{{{A}}}} {{{{{A}}}}}', () => 'x', 1000)).toBe('{x x} {x} {{x}}')
})

test('a name has at most fifty characters', () => {
  expect(show(`{{${'A'.repeat(50)}}}`)).toHaveLength(1)
  expect(show(`{{${'A'.repeat(51)}}}`)).toEqual([])
})

test('a value is put in as it is: it forms no place, and $ means nothing in it', () => {
  const value = "$& $1 $$ $` $' {{A}} {{{B}}}"
  expect(fill('<{{A}}|{{{B}}}>', () => value, 1000)).toBe(`<${value}|${value}>`)
  expect(fill('{{A}}{{B}}{{A}}', ({ name }) => (name === 'A' ? '{' : 'A}}'), 1000)).toBe('{A}}{')
})

test('a text that would become too long is given up early', () => {
  expect(fill('{{A}}', () => 'x'.repeat(10), 10)).toBe('x'.repeat(10))
  expect(fill('{{A}}', () => 'x'.repeat(11), 10)).toBeUndefined()
  let asked = 0
  const long = () => {
    asked++
    return 'x'.repeat(65_536)
  }
  const much = fill('{{A}}'.repeat(80_000), long, 2 * 1024 * 1024)
  expect(much).toBeUndefined()
  expect(asked).toBeLessThan(100)
})

test('HTML shows an escaped value as it was given', () => {
  expect(escapeHtml(`<a href="x" class='y'>&amp;`)).toBe('&lt;a href=&quot;x&quot; class=&#39;y&#39;&gt;&amp;amp;')
})

// A scanner that looked twice as often at twice as much would be at it for hours.
test.each(['{', '{{', '{{{', '{{ ', '{{{    ', `{{${'A'.repeat(51)}`, '{{A}', '{{{A}} '])(
  'four megabytes of %j are read without delay',
  (piece) => {
    const text = piece.repeat(Math.ceil(2 ** 22 / piece.length))
    expect(fill(text, () => 'A', text.length)?.length).toBeLessThanOrEqual(text.length)
  },
  5000,
)
