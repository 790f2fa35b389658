/** Asks a mail an account's rules, in their order: which match, and what is to be done. Pure, and bounded in time. */
import type { Condition } from '../../contract/rules/shapes.ts'
import type { AskedRule, StoredAction } from '../../directory/receiving/rule.ts'
import { MAILBOXES, TRASH } from '../../store/mail/shapes.ts'
import type { Facts } from './facts.ts'
import { fold, globCost, matchesGlob } from './match.ts'

/**
 * Characters that all comparisons of one mail may look at: a third of a second where the mail is made to take long. An
 * account's rules are some thousand conditions at most, and `contains` asked by each of the longest text is this much.
 */
const MAX_WORK = 32 * 1024 * 1024

/** Each is a mail sent for this one. */
export const MAX_FORWARDS = 20

/** Each is a name in the row that every list reads. */
const MAX_KEYWORDS = 64

/** Each is an event with all that `email.received` tells. */
const MAX_TOLD = 10

/** What dropped mail bears in Trash. */
export const DROPPED = '$dropped'

type Named = { id: string | null; name: string }

/** What is to be done with a mail. Where it goes, the first rule that says so decides; all else adds up. */
export type Ruling = {
  /** Undefined where no rule says where it goes. */
  box?: { number: number; name: string }
  reject?: string
  dropped: boolean
  keywords: string[]
  forward: string[]
  /** The rules that want an event of their own. */
  tell: Named[]
  reply?: NonNullable<StoredAction['reply']>
  /** The rules that matched. */
  matched: Named[]
}

/** How one rule was answered. `asked` is false where a rule before it matched and said to stop. */
export type Answer = { rule: AskedRule; asked: boolean; matched: boolean; held: boolean[] }

/** Thrown where rules would take longer than a mail may. */
export class TooMuchWork extends Error {}

/** What the rules say of a mail; `held` of each answer is told condition by condition. @throws TooMuchWork. */
export function judge(rules: readonly AskedRule[], facts: Facts): { ruling: Ruling; answers: Answer[] } {
  const work = { left: MAX_WORK }
  const ruling: Ruling = { dropped: false, keywords: [], forward: [], tell: [], matched: [] }
  const answers: Answer[] = []
  let over = false
  for (const rule of rules) {
    if (over) {
      answers.push({ rule, asked: false, matched: false, held: [] })
      continue
    }
    const held = rule.conditions.map((condition) => holds(condition, facts, work))
    const matched = rule.match === 'all' ? held.every(Boolean) : held.length === 0 || held.some(Boolean)
    answers.push({ rule, asked: true, matched, held })
    if (!matched) continue
    ruling.matched.push({ id: rule.id, name: rule.name })
    for (const action of rule.actions) take(ruling, action, rule)
    // Nothing can be done with a mail that is refused.
    over = rule.stop || ruling.reject !== undefined
  }
  return { ruling, answers }
}

function take(ruling: Ruling, action: StoredAction, rule: AskedRule): void {
  const isPlaced = ruling.box !== undefined || ruling.reject !== undefined
  if (action.box && !isPlaced) ruling.box = action.box
  if (action.reject !== undefined && !isPlaced) ruling.reject = action.reject
  if (action.drop && !isPlaced) {
    ruling.box = { number: TRASH, name: nameOf(TRASH) }
    ruling.dropped = true
    addKeyword(ruling, DROPPED)
    addKeyword(ruling, '$seen')
  }
  if (action.keyword !== undefined) addKeyword(ruling, action.keyword)
  if (action.mark_read) addKeyword(ruling, '$seen')
  for (const target of action.forward ?? []) {
    if (!ruling.forward.includes(target) && ruling.forward.length < MAX_FORWARDS) ruling.forward.push(target)
  }
  if (action.webhook && ruling.tell.length < MAX_TOLD) ruling.tell.push({ id: rule.id, name: rule.name })
  if (action.reply) ruling.reply ??= action.reply
}

function addKeyword(ruling: Ruling, keyword: string): void {
  if (!ruling.keywords.includes(keyword) && ruling.keywords.length < MAX_KEYWORDS) ruling.keywords.push(keyword)
}

/** A role of a mailbox that every account has. */
function nameOf(number: number): string {
  return MAILBOXES.find((box) => box.number === number)?.role ?? 'inbox'
}

function holds(condition: Condition, facts: Facts, work: { left: number }): boolean {
  return compare(condition, facts, work) !== (condition.not ?? false)
}

function compare({ field, op, value }: Condition, facts: Facts, work: { left: number }): boolean {
  if (typeof value === 'boolean') return facts.is(field) === value
  if (typeof value === 'number') return op === 'larger_than' ? facts.size > value : facts.size < value
  const texts = facts.texts(field)
  // A header may be there without a value; a subject or a sender that is empty is none.
  if (op === 'exists') return field.startsWith('header:') ? texts.length > 0 : texts.some((text) => text !== '')
  if (Array.isArray(value)) {
    spend(work, texts.length + value.length)
    const wanted = new Set(value.map(fold))
    return texts.some((text) => wanted.has(text))
  }
  const wanted = fold(value ?? '')
  return texts.some((text) => {
    spend(work, op === 'matches' ? globCost(text, wanted) : text.length + wanted.length)
    if (op === 'is') return text === wanted
    if (op === 'contains') return text.includes(wanted)
    if (op === 'starts_with') return text.startsWith(wanted)
    if (op === 'ends_with') return text.endsWith(wanted)
    return matchesGlob(text, wanted)
  })
}

function spend(work: { left: number }, characters: number): void {
  work.left -= characters
  if (work.left < 0) throw new TooMuchWork('the rules look at too much')
}
