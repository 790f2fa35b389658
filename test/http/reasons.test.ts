import { expect, test } from 'vitest'
import * as z from 'zod'
import { Problem } from '../../src/base/problem.ts'
import { check } from '../../src/http/validate.ts'

function faults(schema: z.ZodType, value: unknown): string[] {
  try {
    check(schema, value, 'body')
  } catch (error) {
    if (error instanceof Problem) return (error.detail.fields ?? []).map(({ path, reason }) => `${path} ${reason}`)
    throw error
  }
  return []
}

const reason = (schema: z.ZodType, value: unknown) => faults(z.object({ it: schema }), { it: value }).join(' | ')

test('what is wrong is said in plain words that complete a sentence', () => {
  expect(reason(z.string(), 7)).toBe('it must be a string')
  expect(reason(z.number(), 'x')).toBe('it must be a number')
  expect(reason(z.int(), 1.5)).toBe('it must be a whole number')
  expect(reason(z.boolean(), 'yes')).toBe('it must be true or false')
  expect(reason(z.array(z.string()), 'x')).toBe('it must be a list')
  expect(reason(z.strictObject({}), [])).toBe('it must be an object')
  expect(reason(z.record(z.string(), z.string()), 1)).toBe('it must be an object')
  expect(reason(z.string().min(1), '')).toBe('it must not be empty')
  expect(reason(z.string().max(3), 'long')).toBe('it must have at most 3 characters')
  expect(reason(z.array(z.string()).max(1), ['a', 'b'])).toBe('it must have at most 1 entry')
  expect(reason(z.array(z.string()).min(2), ['a'])).toBe('it must have at least 2 entries')
  expect(reason(z.int().min(1), 0)).toBe('it must be at least 1')
  expect(reason(z.int().max(9), 10)).toBe('it must be at most 9')
  expect(reason(z.number().positive(), 0)).toBe('it must be more than 0')
  expect(reason(z.enum(['a', 'b']), 'c')).toBe('it must be one of "a", "b"')
  expect(reason(z.literal('a'), 'c')).toBe('it must be "a"')
  expect(reason(z.iso.datetime(), 'soon')).toBe('it must be a time in ISO 8601, as in 2027-01-31T09:00:00Z')
  expect(reason(z.url(), 'x')).toBe('it must be a URL')
  expect(reason(z.string().regex(/^a$/), 'b')).toBe('it does not have the form that is asked for')
  expect(reason(z.string().regex(/^a$/, { error: 'must be an a' }), 'b')).toBe('it must be an a')
  expect(
    reason(
      z.string().refine(() => false),
      'b',
    ),
  ).toBe('it is not valid')
  expect(faults(z.object({}), 'x')).toEqual([' must be an object'])
  const named = z.record(z.string().regex(/^a$/, { error: 'must be named a' }), z.boolean())
  expect(reason(named, { b: true })).toBe('it.b must be named a')
})

test('of a text that is read as a list, the text is at fault, and is not missing', () => {
  const list = z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(['a', 'b'])))
  expect(reason(list, 'a,c')).toBe('it must be one of "a", "b"')
  expect(faults(z.object({ it: list }), {})).toEqual(['it is required'])
})

test('of several forms, the fault is inside the one that was meant; where none was, all are told', () => {
  const oneOrMany = z.union([z.string(), z.array(z.string())])
  expect(reason(oneOrMany, ['a', 7])).toBe('it[1] must be a string')
  expect(reason(oneOrMany, 7)).toBe('it must be a string, or must be a list')
  const wish = z.union([z.boolean(), z.strictObject({ list: z.string().max(3).nullish() })])
  expect(reason(wish, { list: 'long' })).toBe('it.list must have at most 3 characters')
  expect(reason(wish, { lists: 'x' })).toBe('it.lists is not a field of this request')
  const kind = z.discriminatedUnion('type', [z.object({ type: z.literal('a') }), z.object({ type: z.literal('b') })])
  expect(reason(kind, { type: 'c' })).toBe('it.type is none of the forms that it may have')
})
