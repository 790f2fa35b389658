/** Rules tried on a stored message: which conditions held, and what would be done. Changes nothing. */
import { notFound, Problem } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import type { RuleTest, TestRulesBody } from '../../contract/rules/routes.ts'
import { askedRules, readUnsaved } from '../../directory/receiving/rules.ts'
import { findMessage } from '../../store/mail/reading.ts'
import { RECEIVED } from '../../store/mail/shapes.ts'
import { Facts } from './facts.ts'
import { type Answer, judge, type Ruling, TooMuchWork } from './judge.ts'
import { readStored } from './stored.ts'

/** @throws Problem not_found (message, rule), validation_error. */
export async function testRules(ctx: Caller, body: TestRulesBody): Promise<RuleTest> {
  const message = await findMessage(ctx.stores, ctx.account, body.message_id, RECEIVED)
  if (!message) throw notFound('Message')
  const rules = body.rule ? [await readUnsaved(ctx, body.rule)] : await askedRules(ctx, body.rules)
  const facts = new Facts(message, await readStored(ctx, message))
  const { ruling, answers } = bounded(() => judge(rules, facts))
  return { object: 'rule_test', message_id: message.id, rules: answers.map(showAnswer), outcome: showRuling(ruling) }
}

function bounded<T>(ask: () => T): T {
  try {
    return ask()
  } catch (error) {
    if (!(error instanceof TooMuchWork)) throw error
    throw new Problem('validation_error', 'The rules look at more of this message than mail has time for.', {
      fix: 'Use fewer conditions on `text`; `matches` costs most.',
    })
  }
}

function showAnswer({ rule, asked, matched, held }: Answer): RuleTest['rules'][number] {
  return {
    id: rule.id,
    name: rule.name,
    asked,
    matched,
    conditions: rule.conditions.map((condition, at) => ({ ...condition, held: held[at] ?? false })),
  }
}

function showRuling(ruling: Ruling): RuleTest['outcome'] {
  return {
    mailbox: ruling.reject === undefined ? (ruling.box?.name ?? 'inbox') : null,
    keywords: ruling.keywords,
    forward: ruling.forward,
    webhook: ruling.tell.length > 0,
    reply: ruling.reply !== undefined,
    reject: ruling.reject ?? null,
    drop: ruling.dropped,
  }
}
