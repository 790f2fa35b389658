/** The rules of one account, asked about a mail that has just been read. They can misplace a mail, and never lose it. */
import { describeError } from '../../base/log.ts'
import type { Context } from '../../context.ts'
import type { FilingProblem } from '../../contract/reading/content.ts'
import { readRule } from '../../directory/receiving/rule.ts'
import type { Taker } from '../../store/receiving/takers.ts'
import { type Contents, type Described, Facts } from './facts.ts'
import { judge, type Ruling } from './judge.ts'

/** Told in the message's problems where its account's rules could not be asked: it is filed as if there were none. */
export const RULES_FAILED: FilingProblem = 'rules_failed'

/** What the rules say; where they cannot be asked, that nothing is to be done, and `failed`. */
export function rulingFor(
  ctx: Context,
  { account, rules }: Taker,
  described: Described,
  contents: Contents,
): { ruling: Ruling; failed: boolean } {
  const none = { dropped: false, keywords: [], forward: [], tell: [], matched: [] }
  if (rules.length === 0) return { ruling: none, failed: false }
  try {
    const asked = rules.map(({ id, name, rule }) => ({ id, name, ...readRule(rule) }))
    return { ruling: judge(asked, new Facts(described, contents)).ruling, failed: false }
  } catch (error) {
    ctx.log('warn', 'rules could not be asked', { account: account.number, error: describeError(error) })
    return { ruling: none, failed: true }
  }
}
