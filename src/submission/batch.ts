/** Many mails in one request: exactly as many single sends, stored all at once or not at all. */
import { type FieldFault, Problem } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import type { SendEmailBody } from '../contract/emails.ts'
import { recall } from '../record/once.ts'
import type { Once } from '../store/idempotency.ts'
import { mailOf } from '../store/stores.ts'
import { type Allowance, allowanceOf } from './attachments.ts'
import { composeMail } from './compose-mail.ts'
import { checkOverride, type LeftOut, onceListed } from './suppressed.ts'
import { asAnswer, type Submission, type Taken, take, tellOne } from './take.ts'
import type { Published } from './templates/send.ts'

/** strict: one faulty mail and none is sent. permissive: the faulty ones are named, the others sent. */
export type BatchMode = 'strict' | 'permissive'

export type BatchAnswer = { data: Taken[]; errors?: { index: number; message: string }[] }

/** Trouble of ours or of the whole request, which is no fault of one mail. */
const NOT_OF_ONE = new Set(['service_unavailable', 'rate_limit_exceeded'])

/**
 * Takes all mails, or in permissive mode all good ones, in their order; a Problem stands for a mail whose form was refused already.
 * `toListed`: those on the suppression list get them too.
 * @throws Problem that names every field of every faulty mail; payload_too_large, daily_quota_exceeded for the request as a whole.
 */
export async function submitBatch(
  ctx: Caller,
  mails: readonly (SendEmailBody | Problem)[],
  mode: BatchMode,
  once?: Once,
  toListed = false,
): Promise<BatchAnswer> {
  if (toListed) checkOverride(ctx)
  const asked = onceListed(once, toListed)
  const known = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, asked)
  if (known) return asAnswer(known)
  const composed = await composeAll(ctx, mails, toListed)
  const faults = composed.flatMap((one, index) => (one instanceof Problem ? [{ index, problem: one }] : []))
  if (mode === 'strict' && faults.length > 0) throw together(faults)
  const submissions = composed.filter((one): one is Submission => !(one instanceof Problem))
  const data = submissions.map(({ id }) => ({ id }))
  const errors = faults.map(({ index, problem }) => ({ index, message: problem.message }))
  const answer = mode === 'strict' ? { data } : { data, errors }
  return submissions.length === 0 ? answer : take<BatchAnswer>(ctx, submissions, answer, asked, tellAll)
}

function tellAll(answer: BatchAnswer, leftOut: LeftOut): BatchAnswer {
  return { ...answer, data: answer.data.map((one) => tellOne(one, leftOut)) }
}

/** One after the other: each may hold as much memory as the whole request may. */
async function composeAll(
  ctx: Caller,
  mails: readonly (SendEmailBody | Problem)[],
  toListed: boolean,
): Promise<(Submission | Problem)[]> {
  const allowance = allowanceOf(ctx)
  const held: Published = new Map()
  const composed: (Submission | Problem)[] = []
  let left = ctx.config.MAX_MESSAGE_BYTES
  for (const mail of mails) {
    const one = mail instanceof Problem ? mail : await composeOne(ctx, mail, allowance, held, toListed)
    composed.push(one)
    if (!(one instanceof Problem)) left -= one.bytes.length
    if (left < 0) throw tooLarge(ctx)
  }
  return composed
}

async function composeOne(
  ctx: Caller,
  mail: SendEmailBody,
  allowance: Allowance,
  held: Published,
  toListed: boolean,
): Promise<Submission | Problem> {
  try {
    if (toListed) checkOverride(ctx, mail)
    return { ...(await composeMail(ctx, mail, allowance, held)), toListed }
  } catch (error) {
    if (error instanceof Problem && !NOT_OF_ONE.has(error.code)) return error
    throw error
  }
}

/** One refusal of all faults: `[3].to[0]`. */
function together(faults: readonly { index: number; problem: Problem }[]): Problem {
  const fields = faults.flatMap(({ index, problem }): FieldFault[] => {
    const own = problem.detail.fields ?? []
    if (own.length === 0) return [{ path: `[${index}]`, reason: problem.message }]
    return own.map(({ path, reason }) => ({ path: inside(index, path), reason }))
  })
  const which = faults.map(({ index }) => `[${index}]`).join(', ')
  const first = faults[0]
  const why = first ? `\`[${first.index}]\`: ${first.problem.message}` : ''
  return new Problem('validation_error', `Nothing was sent, because of ${which}. ${why}`, {
    fields,
    fix: 'Mend these, or send the header `x-batch-validation: permissive` to have the others sent.',
  })
}

function inside(index: number, path: string): string {
  return path === '' || path.startsWith('[') ? `[${index}]${path}` : `[${index}].${path}`
}

function tooLarge(ctx: Caller): Problem {
  return new Problem(
    'payload_too_large',
    `The mails of one request may come to ${ctx.config.MAX_MESSAGE_BYTES} bytes together, attachments encoded.`,
    { fix: 'Send fewer at once.' },
  )
}
