/** What a condition can be on, and how each may be compared. */

const TEXTS = ['envelope_from', 'envelope_to', 'address', 'tag', 'from', 'to', 'cc', 'reply_to', 'subject'].concat([
  'filename',
  'attachment_type',
  'spf',
  'dkim',
  'dmarc',
  'text',
])

const BOOLEANS = ['has_attachment', 'list', 'auto']

/** RFC 5322 section 2.2: printable ASCII without a colon. */
const HEADER = /^header:[!-9;-~]{1,76}$/

export const OPERATORS = [
  'is',
  'contains',
  'starts_with',
  'ends_with',
  'matches',
  'in',
  'exists',
  'larger_than',
  'smaller_than',
] as const

export type Operator = (typeof OPERATORS)[number]

export type FieldKind = 'text' | 'number' | 'boolean'

/** Undefined where a condition cannot be on it. */
export function fieldKind(field: string): FieldKind | undefined {
  if (TEXTS.includes(field) || HEADER.test(field)) return 'text'
  if (field === 'size') return 'number'
  return BOOLEANS.includes(field) ? 'boolean' : undefined
}

export function operatorsOf(kind: FieldKind): readonly Operator[] {
  if (kind === 'number') return ['larger_than', 'smaller_than']
  if (kind === 'boolean') return ['is']
  return ['is', 'contains', 'starts_with', 'ends_with', 'matches', 'in', 'exists']
}
