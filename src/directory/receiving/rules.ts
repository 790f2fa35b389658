/** Rules: made, changed, put in order, deleted. */
import { type FieldFault, notFound, Problem } from '../../base/problem.ts'
import { type Caller, newId } from '../../context.ts'
import type { Action, NewRuleBody, RulePatch, UnsavedRule } from '../../contract/rules/shapes.ts'
import { parseAddress } from '../../mail/address.ts'
import { listOf } from '../../record/page.ts'
import type { Once } from '../../store/idempotency.ts'
import { listMailboxes } from '../../store/mail/boxes.ts'
import { MAILBOXES } from '../../store/mail/shapes.ts'
import {
  deleteRule as deleteRow,
  findRule,
  insertRule,
  listRules as listRows,
  MAX_RULE_TEXT,
  MAX_RULES,
  type RuleRow,
  replaceRule,
  whyNoRule,
} from '../../store/receiving/rules.ts'
import { createOnce } from '../create.ts'
import { type AskedRule, type RuleBody, readRule, type StoredAction, showAction, showRule } from './rule.ts'

/** How often a change is tried anew because another one came first. */
const RACES = 5

/** @throws Problem validation_error (no such mailbox, no address, too many). */
export async function createRule(ctx: Caller, body: NewRuleBody, once?: Once) {
  const account = ctx.account.number
  return createOnce(ctx, account, once, async () => {
    const rule = JSON.stringify(await readBody(ctx, body))
    const rows = body.position === undefined ? await listRows(ctx.stores, account) : []
    const row: RuleRow = {
      account,
      id: newId(ctx),
      position: body.position ?? (rows.at(-1)?.position ?? 0) + 1,
      name: body.name,
      enabled: body.enabled,
      rule,
      createdAt: ctx.now(),
    }
    return {
      answer: showRule(row),
      insert: (keeping) => insertRule(ctx.stores, row, keeping),
      exists: async () => (await findRule(ctx.stores, account, row.id)) !== undefined,
      refusal: async () => REFUSALS[await whyNoRule(ctx.stores, row)](),
    }
  })
}

/** All of them, the first asked first: there are few, so this is one page. */
export async function listRules(ctx: Caller) {
  return listOf((await listRows(ctx.stores, ctx.account.number)).map(showRule), false)
}

/** @throws Problem not_found. */
export async function getRule(ctx: Caller, id: string) {
  return showRule(await ownRule(ctx, id))
}

/** @throws Problem not_found, validation_error, service_unavailable. */
export async function patchRule(ctx: Caller, id: string, patch: RulePatch) {
  for (let races = 0; races < RACES; races++) {
    const read = await ownRule(ctx, id)
    const present = readRule(read.rule)
    const body = {
      match: patch.match ?? present.match,
      conditions: patch.conditions ?? present.conditions,
      actions: patch.actions ?? present.actions.map(showAction),
      stop: patch.stop ?? present.stop,
    }
    const changes =
      patch.actions !== undefined || patch.conditions !== undefined || patch.match || patch.stop !== undefined
    const row: RuleRow = {
      ...read,
      position: patch.position ?? read.position,
      name: patch.name ?? read.name,
      enabled: patch.enabled ?? read.enabled,
      rule: changes ? JSON.stringify(await readBody(ctx, body)) : read.rule,
    }
    const replaced = await replaceRule(ctx.stores, read, row)
    if (replaced) return showRule(replaced)
    const now = await findRule(ctx.stores, ctx.account.number, id)
    if (now && JSON.stringify(now) === JSON.stringify(read)) throw REFUSALS.long()
  }
  throw new Problem('service_unavailable', 'The rule is being changed by others; nothing was changed.', {
    retryAfter: 1,
  })
}

/** @throws Problem not_found. */
export async function deleteRule(ctx: Caller, id: string) {
  if (!(await deleteRow(ctx.stores, ctx.account.number, id))) throw notFound('Rule')
  return { object: 'rule' as const, id, deleted: true as const }
}

/** A rule that was not saved, ready to be asked. @throws Problem validation_error. */
export async function readUnsaved(ctx: Caller, body: UnsavedRule): Promise<AskedRule> {
  return { id: null, name: '', ...(await readBody(ctx, body)) }
}

/** The account's rules of these ids, disabled ones too; without ids those that are enabled. In their order. @throws Problem not_found. */
export async function askedRules(
  ctx: Pick<Caller, 'stores' | 'account'>,
  ids: readonly string[] | undefined,
): Promise<AskedRule[]> {
  const rules = await presentRules(ctx, ids)
  if (ids?.some((id) => !rules.some((rule) => rule.id === id))) throw notFound('Rule')
  return rules
}

/** The same, without those that are not there (any more). */
export async function presentRules(
  ctx: Pick<Caller, 'stores' | 'account'>,
  ids: readonly string[] | undefined,
): Promise<AskedRule[]> {
  const rows = await listRows(ctx.stores, ctx.account.number)
  const wanted = rows.filter((row) => (ids ? ids.includes(row.id) : row.enabled))
  return wanted.map(({ id, name, rule }) => ({ id, name, ...readRule(rule) }))
}

const REFUSALS = {
  closed: () => notFound('Account'),
  many: () => new Problem('validation_error', `An account has at most ${MAX_RULES} rules.`),
  long: () =>
    new Problem('validation_error', `All rules of an account together have at most ${MAX_RULE_TEXT} characters.`, {
      fix: 'Shorten lists and answers, or bring rules together.',
    }),
} as const satisfies Record<Awaited<ReturnType<typeof whyNoRule>>, () => Problem>

async function ownRule(ctx: Caller, id: string): Promise<RuleRow> {
  const row = await findRule(ctx.stores, ctx.account.number, id)
  if (!row) throw notFound('Rule')
  return row
}

/** What the row holds: mailboxes by their numbers, addresses in their one spelling. */
async function readBody(ctx: Caller, { match, conditions, actions, stop }: UnsavedRule): Promise<RuleBody> {
  const faults: FieldFault[] = []
  const own = actions.some(({ move }) => move !== undefined && !roleBox(move))
  const boxes = own ? await listMailboxes(ctx.stores, ctx.account) : []
  const read = actions.map((action, at): StoredAction => {
    const { move, forward } = action
    if (move !== undefined) {
      const box = roleBox(move) ?? boxes.find(({ id }) => id === move)
      if (!box) faults.push({ path: `actions[${at}].move`, reason: 'there is no such mailbox' })
      return { ...action, box: { number: box?.number ?? 0, name: box?.role ?? move } }
    }
    return forward ? { ...action, forward: readForwards(forward, `actions[${at}].forward`, faults) } : action
  })
  const first = faults[0]
  if (first) throw new Problem('validation_error', `Invalid \`${first.path}\`: ${first.reason}`, { fields: faults })
  return { match, conditions, actions: read, stop }
}

function readForwards(texts: readonly string[], path: string, faults: FieldFault[]): Action['forward'] {
  const read = texts.map((text, at) => {
    const address = parseAddress(text)?.address
    if (!address) faults.push({ path: `${path}[${at}]`, reason: 'is not an email address' })
    return address ?? ''
  })
  return [...new Set(read)]
}

function roleBox(role: string) {
  return MAILBOXES.find((box) => box.role === role)
}
