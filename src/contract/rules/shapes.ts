/** Rules: what is to be done with mail that comes, by what it says. */
import * as z from 'zod'
import { HeaderText, Id, Time } from '../common.ts'
import { answerFields } from '../directory/receiving.ts'
import { fieldKind, OPERATORS, operatorsOf } from './fields.ts'

/** Each is asked of every mail that comes; with the bound on an account's rules together, this keeps that quick. */
const MAX_CONDITIONS = 50
const MAX_ACTIONS = 20
const MAX_VALUES = 200

const Text = z.string().min(1).max(500)

export const Condition = z
  .strictObject({
    field: z.string().max(100).meta({
      description:
        'envelope_from, envelope_to, address, tag, from, to, cc, reply_to, subject, header:<name>, filename, attachment_type, spf, dkim, dmarc, text; size; has_attachment, list, auto.',
      example: 'from',
    }),
    op: z.enum(OPERATORS).meta({
      description:
        'Of texts: is, contains, starts_with, ends_with, matches (`*` is any run, `?` one character), in, exists. Of size: larger_than, smaller_than. Of the rest: is. Letters’ case does not matter.',
      example: 'ends_with',
    }),
    value: z
      .union([Text, z.number().min(0), z.boolean(), z.array(Text).min(1).max(MAX_VALUES)])
      .optional()
      .meta({
        description:
          'A text; for `in` a list of them; for size a number of bytes; for has_attachment, list and auto true or false; for `exists` nothing. Of an address, the address, the name and both together are compared.',
        example: '@demo.test',
      }),
    not: z.boolean().optional().meta({ description: 'Holds where it would not.' }),
  })
  .superRefine((condition, context) => {
    const kind = fieldKind(condition.field)
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    if (!kind) return fault('field', 'is no field that a condition can be on')
    const allowed = operatorsOf(kind)
    if (!allowed.includes(condition.op)) return fault('op', `must be one of ${allowed.join(', ')} for this field`)
    const wanted = valueKind(kind, condition.op)
    const given = Array.isArray(condition.value) ? 'list' : typeof condition.value
    if (given !== wanted) fault('value', VALUE_REASONS[wanted])
  })
  .meta({ id: 'RuleCondition' })

export type Condition = z.output<typeof Condition>

function valueKind(kind: 'text' | 'number' | 'boolean', op: string): keyof typeof VALUE_REASONS {
  if (op === 'exists') return 'undefined'
  if (op === 'in') return 'list'
  return kind === 'text' ? 'string' : kind
}

const VALUE_REASONS = {
  undefined: 'must be left out with this op',
  list: 'must be a list of texts with this op',
  string: 'must be a text for this field',
  number: 'must be a number of bytes for this field',
  boolean: 'must be true or false for this field',
} as const

export const Keyword = z
  .string()
  .regex(/^[$A-Za-z0-9_.-]{1,64}$/, { error: 'a keyword has 1 to 64 of A-Z a-z 0-9 $ _ . -' })
  .transform((word) => word.toLowerCase())

const actionFields = {
  move: z.string().min(1).max(100).optional().meta({ description: 'The id or role of a mailbox.', example: 'junk' }),
  keyword: Keyword.optional().meta({ description: 'A keyword to set.' }),
  mark_read: z.literal(true).optional(),
  forward: z.array(z.string().max(320)).min(1).max(10).optional().meta({
    description: 'Sends a copy to each, once who lives there has agreed.',
  }),
  webhook: z.literal(true).optional().meta({ description: 'Tells of it by an event `email.matched`.' }),
  reply: z.strictObject(answerFields).optional().meta({
    description: 'Answers whoever sent it, unless that is a list, automatic, or was answered lately.',
  }),
  reject: HeaderText.min(1)
    .max(200)
    .optional()
    .meta({ description: 'Refuses the mail for good with this reason; nothing is stored.' }),
  drop: z.literal(true).optional().meta({
    description: 'Takes the mail without a word and files it in Trash, read, with the keyword $dropped.',
  }),
}

export const Action = z
  .strictObject(actionFields)
  .refine((action) => Object.values(action).filter((value) => value !== undefined).length === 1, {
    error: `must have exactly one of ${Object.keys(actionFields).join(', ')}`,
  })
  .meta({ id: 'RuleAction' })

export type Action = z.output<typeof Action>

/** What is asked and done. */
const ruleFields = {
  match: z.enum(['all', 'any']).meta({ description: 'Whether all conditions must hold, or any.' }),
  conditions: z.array(Condition).max(MAX_CONDITIONS).meta({ description: 'None is every mail.' }),
  actions: z.array(Action).min(1).max(MAX_ACTIONS).superRefine(contradictions),
  stop: z.boolean().meta({ description: 'Where it matches, no later rule is asked.' }),
}

const identity = {
  name: HeaderText.min(1).max(200),
  enabled: z.boolean(),
  position: z.int().min(1).max(1_000_000).meta({ description: 'Lower is asked first.' }),
}

/** What a rule may not say twice or at once. */
function contradictions(actions: Action[], context: z.core.$RefinementCtx<Action[]>): void {
  const fault = (at: number, message: string) => context.addIssue({ code: 'custom', path: [at], message })
  const places = actions.flatMap(({ move, drop, reject }, at) => (move || drop || reject ? [at] : []))
  for (const at of places.slice(1)) fault(at, 'a mail goes to one place: one of move, drop and reject')
  const rejects = actions.findIndex(({ reject }) => reject !== undefined)
  if (rejects >= 0 && actions.length > 1 && places.length < 2)
    fault(rejects, 'nothing else can be done with a refused mail')
  for (const [at, { reply }] of actions.entries()) {
    if (reply && actions.findIndex((action) => action.reply) !== at) fault(at, 'a mail is answered once')
  }
}

export const NewRuleBody = z
  .strictObject({
    name: identity.name,
    enabled: identity.enabled.default(true),
    position: identity.position.optional(),
    match: ruleFields.match.default('all'),
    conditions: ruleFields.conditions.default([]),
    actions: ruleFields.actions,
    stop: ruleFields.stop.default(false),
  })
  .meta({ id: 'NewRule', example: EXAMPLE() })

export type NewRuleBody = z.output<typeof NewRuleBody>

export const RulePatch = z
  .strictObject({
    name: identity.name.optional(),
    enabled: identity.enabled.optional(),
    position: identity.position.optional(),
    match: ruleFields.match.optional(),
    conditions: ruleFields.conditions.optional(),
    actions: ruleFields.actions.optional(),
    stop: ruleFields.stop.optional(),
  })
  .meta({ id: 'RulePatch' })

export type RulePatch = z.output<typeof RulePatch>

/** A rule that need not be saved. */
export const UnsavedRule = z
  .strictObject({
    match: ruleFields.match.default('all'),
    conditions: ruleFields.conditions.default([]),
    actions: ruleFields.actions,
    stop: ruleFields.stop.default(false),
  })
  .meta({ id: 'UnsavedRule' })

export type UnsavedRule = z.output<typeof UnsavedRule>

export const Rule = z
  .object({
    object: z.literal('rule'),
    id: Id,
    name: z.string(),
    enabled: z.boolean(),
    position: z.int(),
    match: ruleFields.match,
    conditions: z.array(Condition),
    actions: z.array(Action),
    stop: z.boolean(),
    created_at: Time,
  })
  .meta({ id: 'Rule' })

export type Rule = z.output<typeof Rule>

function EXAMPLE() {
  return {
    name: 'Invoices',
    conditions: [{ field: 'subject', op: 'contains', value: 'invoice' }],
    actions: [{ keyword: 'invoice' }],
  }
}
