/** Mail that answers mail: composed around what the message says, and submitted like any other. */
import { type FieldFault, Problem } from '../../base/problem.ts'
import { type Caller, newId, newToken } from '../../context.ts'
import type { ForwardBody, ReplyBody } from '../../contract/sending/answers.ts'
import { findSender } from '../../directory/senders.ts'
import { formatMailbox } from '../../mail/address.ts'
import { type Attachment, compose } from '../../mail/compose.ts'
import { recall } from '../../record/once.ts'
import type { Once } from '../../store/idempotency.ts'
import { mailOf } from '../../store/stores.ts'
import { allowanceOf, readAttachments } from '../attachments.ts'
import { readParties } from '../parties.ts'
import { asAnswer, type Taken, take, tellOne } from '../take.ts'
import { type Audience, addresseesOf } from './addressees.ts'
import { allCarried, picturesOf, wholeCarried } from './carried.ts'
import { markedSubject, threadFields } from './header.ts'
import { type Original, readOriginal } from './original.ts'
import { quoteForward, quoteReply, type Words } from './quote.ts'

/** Answers where the message asks answers to go: Reply-To, else From; of one's own sent mail, its To. @throws Problem. */
export async function reply(ctx: Caller, id: string, body: ReplyBody, once?: Once): Promise<Taken> {
  return answer(ctx, id, body, once, replying(ctx, 'author', body))
}

/** Answers everybody whom the message names, but the account's own addresses. @throws Problem. */
export async function replyAll(ctx: Caller, id: string, body: ReplyBody, once?: Once): Promise<Taken> {
  return answer(ctx, id, body, once, replying(ctx, 'everybody', body))
}

/** Sends the message on with all it carries, or as one attachment. @throws Problem. */
export async function forward(ctx: Caller, id: string, body: ForwardBody, once?: Once): Promise<Taken> {
  return answer(ctx, id, body, once, {
    audience: 'others',
    mark: 'Fwd',
    write: async (original) => {
      const words = wordsOf(body)
      if (body.as_attachment) {
        const said = isWordless(words) ? { text: ATTACHED_NOTE } : words
        return { ...said, carried: await wholeCarried(ctx, original) }
      }
      const said: Words = body.quote ? quoteForward(words, quotable(original)) : { text: '', ...words }
      return { ...said, carried: await allCarried(ctx, original, said.html) }
    },
  })
}

const ATTACHED_NOTE = 'The forwarded message is attached.'

type Manner = {
  audience: Audience
  mark: 'Re' | 'Fwd'
  write(original: Original): Promise<Words & { carried: Attachment[] }>
}

async function answer(
  ctx: Caller,
  id: string,
  body: ReplyBody | ForwardBody,
  once: Once | undefined,
  { audience, mark, write }: Manner,
): Promise<Taken> {
  refuseUnread(ctx)
  const known = await recall(ctx, mailOf(ctx.stores, ctx.account), ctx.account.number, once)
  if (known) return asAnswer(known)
  refuseThreadFields(body)
  const original = await readOriginal(ctx, id)
  const addressees = await addresseesOf(ctx, original, audience, body)
  const subject = body.subject ?? markedSubject(mark, original.read.subject)
  const parties = readParties({ ...addressees, bcc: body.bcc, reply_to: body.reply_to, subject })
  const sender = await findSender(ctx, parties.from.address)
  const own = await readAttachments(ctx, body.attachments ?? [], allowanceOf(ctx))
  const { carried, ...words } = await write(original)
  const answerId = newId(ctx)
  const bytes = await compose({
    ...parties,
    ...words,
    subject,
    headers: [...Object.entries(body.headers ?? {}), ...threadFields(original.read)],
    attachments: [...own, ...carried],
    date: ctx.now(),
    messageId: `<${answerId}@${parties.from.address.domain}>`,
    boundary: newToken(ctx),
  })
  const submission = {
    id: answerId,
    bytes,
    sender,
    reversePath: parties.from.address.address,
    recipients: parties.recipients,
    bcc: parties.bcc.map(formatMailbox),
    tags: body.tags ?? [],
  }
  return take<Taken>(ctx, [submission], { id: answerId }, once, tellOne)
}

function replying(ctx: Caller, audience: Audience, body: ReplyBody): Manner {
  const words = wordsOf(body)
  if (isWordless(words)) throw wordless()
  return {
    audience,
    mark: 'Re',
    write: async (original) => {
      if (!body.quote) return { ...words, carried: [] }
      const said = quoteReply(words, quotable(original))
      return { ...said, carried: await picturesOf(ctx, original, said.html) }
    },
  }
}

function wordsOf({ text, html }: ReplyBody | ForwardBody): Words {
  return {
    ...(text === null || text === undefined ? {} : { text }),
    ...(html === null || html === undefined ? {} : { html }),
  }
}

function isWordless({ text, html }: Words): boolean {
  return text === undefined && html === undefined
}

function quotable({ stored, read }: Original) {
  return { ...read, date: read.date ?? stored.createdAt }
}

/** An answer quotes the message and goes wherever the caller says: so it is a way to read, too. @throws Problem restricted_api_key. */
export function refuseUnread(ctx: Caller): void {
  if (ctx.access.scopes.has('messages:read')) return
  throw new Problem('restricted_api_key', 'This API key lacks the scope messages:read', {
    fix: 'Use a key with the scopes emails:send and messages:read.',
  })
}

/** Two of a kind would be malformed, and ours are what makes it an answer. @throws Problem validation_error. */
function refuseThreadFields({ headers }: ReplyBody | ForwardBody): void {
  const fields = Object.keys(headers ?? {}).flatMap((name): FieldFault[] =>
    /^(?:in-reply-to|references)$/i.test(name)
      ? [{ path: `headers.${JSON.stringify(name)}`, reason: 'is written by us in an answer' }]
      : [],
  )
  const [first] = fields
  if (first) throw new Problem('validation_error', `\`${first.path}\` ${first.reason}`, { fields })
}

function wordless(): Problem {
  const reason = 'one of html and text is required'
  return new Problem('missing_required_field', 'Missing `html` or `text` field.', {
    fields: [
      { path: 'html', reason },
      { path: 'text', reason },
    ],
  })
}
