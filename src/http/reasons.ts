/** What is wrong with a field, in plain words, where its schema does not say it itself. */
import type * as z from 'zod'

/** The reason for an issue as zod raises it: it completes a sentence that begins with the field. */
export function reasonOf(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? `of the kind ${issue.expected}`}`
    case 'too_small':
      return tooSmall(issue.origin, issue.minimum, issue.inclusive ?? true)
    case 'too_big':
      return tooBig(issue.origin, issue.maximum, issue.inclusive ?? true)
    case 'invalid_format':
      return FORMATS[issue.format] ?? 'does not have the form that is asked for'
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_value':
      return oneOf(issue.values.map((value) => JSON.stringify(value)))
    case 'invalid_union':
      return 'is none of the forms that it may have'
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'has a name in it that cannot be one'
    case 'invalid_element':
      return 'has something in it that cannot be there'
    default:
      return 'is not valid'
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
  date: 'a date',
}

const FORMATS: Readonly<Record<string, string>> = {
  datetime: 'must be a time in ISO 8601, as in 2027-01-31T09:00:00Z',
  date: 'must be a date, as in 2027-01-31',
  url: 'must be a URL',
  email: 'must be an email address',
  uuid: 'must be a UUID',
  safeint: 'must be a whole number',
}

function tooSmall(origin: string, minimum: number | bigint, inclusive: boolean): string {
  const [one, many] = UNITS[origin] ?? []
  if (!one) return inclusive ? `must be at least ${minimum}` : `must be more than ${minimum}`
  if (Number(minimum) === 1) return 'must not be empty'
  return `must have at least ${minimum} ${Number(minimum) === 1 ? one : many}`
}

function tooBig(origin: string, maximum: number | bigint, inclusive: boolean): string {
  const [one, many] = UNITS[origin] ?? []
  if (!one) return inclusive ? `must be at most ${maximum}` : `must be less than ${maximum}`
  return `must have at most ${maximum} ${Number(maximum) === 1 ? one : many}`
}

const UNITS: Readonly<Record<string, readonly [string, string]>> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
  set: ['entry', 'entries'],
  file: ['byte', 'bytes'],
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? `must be ${values[0]}` : `must be one of ${values.join(', ')}`
}
