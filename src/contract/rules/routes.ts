/** Rules: kept in order, tried on a stored message before they are switched on, and run over stored mail. */
import * as z from 'zod'
import { deleted, Id, list, Time } from '../common.ts'
import { route } from '../route.ts'
import { Condition, NewRuleBody, Rule, RulePatch, UnsavedRule } from './shapes.ts'

const tag = 'Rules'

/** As many as an account may have. */
const Ids = z.array(z.string()).min(1).max(100)

export const CreateRule = route({
  method: 'POST',
  path: '/rules',
  tag,
  summary: 'Say what is to be done with mail that comes. Without a position it is asked last.',
  scope: 'rules:write',
  body: NewRuleBody,
  creates: true,
  status: 201,
  answer: Rule,
})

export const ListRules = route({
  method: 'GET',
  path: '/rules',
  tag,
  summary: 'All rules, the first asked first.',
  scope: 'rules:read',
  answer: list(Rule),
})

export const GetRule = route({
  method: 'GET',
  path: '/rules/:id',
  tag,
  summary: 'One rule.',
  scope: 'rules:read',
  answer: Rule,
  problems: ['not_found'],
})

export const PatchRule = route({
  method: 'PATCH',
  path: '/rules/:id',
  tag,
  summary: 'Change a rule. At another position, those that stand there and behind give way.',
  scope: 'rules:write',
  body: RulePatch,
  answer: Rule,
  problems: ['not_found', 'service_unavailable'],
})

export const DeleteRule = route({
  method: 'DELETE',
  path: '/rules/:id',
  tag,
  summary: 'Delete a rule. What it did stays done.',
  scope: 'rules:write',
  answer: deleted('rule'),
  problems: ['not_found'],
})

export const TestRulesBody = z
  .strictObject({
    message_id: z.string().meta({ description: 'A received message.' }),
    rule: UnsavedRule.optional().meta({ description: 'A rule that need not be saved.' }),
    rules: Ids.optional().meta({ description: 'The ids of saved rules, disabled ones too.' }),
  })
  .refine(({ rule, rules }) => !rule || !rules, { path: ['rules'], error: 'goes not with `rule`' })
  .meta({ id: 'TestRules' })

export type TestRulesBody = z.output<typeof TestRulesBody>

export const RuleTest = z
  .object({
    object: z.literal('rule_test'),
    message_id: Id,
    rules: z.array(
      z.object({
        id: Id.nullable(),
        name: z.string(),
        asked: z.boolean().meta({ description: 'False where a rule before it matched and stopped or refused.' }),
        matched: z.boolean(),
        conditions: z.array(z.intersection(Condition, z.object({ held: z.boolean() }))),
      }),
    ),
    outcome: z.object({
      mailbox: z.string().nullable().meta({ description: 'A role or an id; null where it would be refused.' }),
      keywords: z.array(z.string()),
      forward: z.array(z.string()),
      webhook: z.boolean(),
      reply: z.boolean(),
      reject: z.string().nullable(),
      drop: z.boolean(),
    }),
  })
  .meta({ id: 'RuleTest' })

export type RuleTest = z.output<typeof RuleTest>

export const TestRules = route({
  method: 'POST',
  path: '/rules/test',
  tag,
  summary:
    'What rules would do with a stored message: one that is not saved, some, or without either all that are enabled. Changes nothing.',
  scope: 'rules:read',
  body: TestRulesBody,
  answer: RuleTest,
  problems: ['not_found'],
})

const RunAction = z.enum(['move', 'keyword', 'mark_read', 'drop', 'forward', 'reply'])

export const RunRulesBody = z
  .strictObject({
    mailbox: z.string().max(100).optional().meta({ description: 'Only mail in it now: an id or a role.' }),
    after: z.iso.datetime({ offset: true }).optional().meta({ description: 'Only mail that came since.' }),
    before: z.iso.datetime({ offset: true }).optional().meta({ description: 'Only mail that came before.' }),
    rules: Ids.optional().meta({
      description: 'The ids of rules, disabled ones too; without it all that are enabled.',
    }),
    actions: z.array(RunAction).min(1).default(['move', 'keyword', 'mark_read', 'drop']).meta({
      description:
        'What may be done; `forward` and `reply` only where they are named. Stored mail is never refused, and no webhook is told of it but of the changes.',
    }),
  })
  .meta({ id: 'RunRules' })

export type RunRulesBody = z.output<typeof RunRulesBody>

export const RuleRun = z
  .object({
    object: z.literal('rule_run'),
    id: Id,
    status: z.enum(['running', 'done', 'failed']),
    checked: z.int().meta({ description: 'Messages looked at so far.' }),
    matched: z.int(),
    changed: z.int(),
    unread: z
      .int()
      .meta({ description: 'Messages that could not be asked: their bytes are gone, or it took too long.' }),
    created_at: Time,
    finished_at: Time.nullable(),
  })
  .meta({ id: 'RuleRun' })

export type RuleRun = z.output<typeof RuleRun>

export const RunRules = route({
  method: 'POST',
  path: '/rules/run',
  tag,
  summary:
    'Ask received mail that is stored the rules again, oldest first, in steps. Its progress is told for seven days.',
  scope: 'rules:write',
  body: RunRulesBody,
  creates: true,
  status: 201,
  answer: RuleRun,
  problems: ['not_found', 'rate_limit_exceeded', 'service_unavailable'],
})

export const GetRuleRun = route({
  method: 'GET',
  path: '/rules/runs/:id',
  tag,
  summary: 'How far a run of the rules is.',
  scope: 'rules:read',
  answer: RuleRun,
  problems: ['not_found'],
})
