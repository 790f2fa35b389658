import { expect, test } from 'vitest'
import type { TemplateContent, TemplateVariable } from '../../../src/store/templates.ts'
import { type Given, render } from '../../../src/submission/templates/render.ts'

const variable = (key: string, type: 'string' | 'number', fallback_value: string | number | null = null) =>
  ({ key, type, fallback_value, created_at: 0, updated_at: 0 }) satisfies TemplateVariable

const content = (more: Partial<TemplateContent>): TemplateContent => ({
  subject: null,
  from: null,
  reply_to: null,
  html: '<p>',
  text: null,
  variables: [],
  ...more,
})

const refusalOf = (made: TemplateContent, given: Given) => {
  try {
    render(made, given, 'variables')
  } catch (error) {
    return error
  }
  return expect.fail('it was rendered')
}

test('values are escaped in html by two braces, and put in as they are by three and everywhere else', () => {
  const text = '{{A}} {{{A}}}'
  const made = content({ subject: text, from: `${text} <a@b.test>`, reply_to: [text], html: text, text })
  const plain = '<b> & <b> &'
  expect(render(made, { A: '<b> &' }, 'variables')).toEqual({
    subject: plain,
    from: `${plain} <a@b.test>`,
    reply_to: [plain],
    html: '&lt;b&gt; &amp; <b> &',
    text: plain,
  })
})

test('a variable has the value that is given, else its fallback; an unknown one is passed over', () => {
  const made = content({
    html: '{{A}} {{N}} {{E}}.',
    variables: [variable('A', 'string', 'there'), variable('N', 'number', 0), variable('E', 'string', '')],
  })
  expect(render(made, { X: 'x' }, 'variables').html).toBe('there 0 .')
  expect(render(made, { A: '', N: 1.5, E: 'e' }, 'variables').html).toBe(' 1.5 e.')
})

test('every variable that is missing is named, declared or not, wherever it stands', () => {
  const made = content({
    subject: '{{S}}',
    html: '{{{H}}} {{constructor}} {{__proto__}}',
    text: '{{T}}',
    reply_to: ['{{R}}@b.test'],
    variables: [variable('UNUSED', 'string'), variable('T', 'string')],
  })
  const names = ['UNUSED', 'T', 'S', 'R', 'H', 'constructor', '__proto__']
  expect(refusalOf(made, {})).toMatchObject({
    code: 'missing_required_field',
    message: expect.stringContaining('`variables.S`'),
    detail: { fields: names.map((name) => ({ path: `variables.${name}`, reason: 'is required' })) },
  })
})

test('a value of the wrong type is named', () => {
  const made = content({ html: '{{A}}{{N}}{{U}}', variables: [variable('A', 'string'), variable('N', 'number')] })
  expect(refusalOf(made, { A: 1, N: '1', U: 1 })).toMatchObject({
    code: 'validation_error',
    detail: {
      fields: [
        { path: 'variables.A', reason: 'must be a string' },
        { path: 'variables.N', reason: 'must be a number' },
      ],
    },
  })
})

test('no value makes a header: a line break is refused where the variable stands in one, and there alone', () => {
  for (const end of ['\r', '\n', '\0', '\r\nBcc: x@y.test']) {
    for (const header of [{ subject: '{{A}}' }, { from: '{{{A}}} <a@b.test>' }, { reply_to: ['{{A}}'] }]) {
      expect(refusalOf(content(header), { A: `a${end}` })).toMatchObject({
        code: 'validation_error',
        detail: { fields: [{ path: 'variables.A' }] },
      })
    }
  }
  expect(render(content({ subject: 's', text: '{{A}}' }), { A: 'a\r\nb' }, 'variables').text).toBe('a\r\nb')
})

test('a mail that would grow without end is refused', () => {
  const made = content({ html: '{{{A}}}'.repeat(60_000) })
  expect(refusalOf(made, { A: 'x'.repeat(65_536) })).toMatchObject({ code: 'payload_too_large' })
})
