/** A rule as its row holds it, ready to be asked. */
import type { Action, Condition, Rule } from '../../contract/rules/shapes.ts'
import { isoTime } from '../../record/email-event.ts'
import type { RuleRow } from '../../store/receiving/rules.ts'

/** `box` stands beside `move`: the mailbox's number, and its role or else its id. */
export type StoredAction = Action & { box?: { number: number; name: string } }

/** What is asked and done. */
export type RuleBody = {
  match: 'all' | 'any'
  conditions: Condition[]
  actions: StoredAction[]
  stop: boolean
}

/** A rule to be asked; one that was never saved has no id. */
export type AskedRule = RuleBody & { id: string | null; name: string }

/** Only `rules.ts` beside this writes the column. @throws where it is no JSON. */
export function readRule(column: string): RuleBody {
  return JSON.parse(column) as RuleBody
}

export function showRule(row: RuleRow): Rule {
  const body = readRule(row.rule)
  return {
    object: 'rule',
    id: row.id,
    name: row.name,
    enabled: row.enabled,
    position: row.position,
    match: body.match,
    conditions: body.conditions,
    actions: body.actions.map(showAction),
    stop: body.stop,
    created_at: isoTime(row.createdAt),
  }
}

export function showAction({ box, ...action }: StoredAction): Action {
  return box ? { ...action, move: box.name } : action
}
