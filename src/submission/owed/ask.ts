/** Asks whether somebody wants an account's mail forwarded to him: a mail with a link, which nobody can have us send often. */
import { type Caller, newId, newToken } from '../../context.ts'
import { mayAsk } from '../../directory/forwarding/targets.ts'
import { findSender } from '../../directory/senders.ts'
import { parseAddress } from '../../mail/address.ts'
import { compose } from '../../mail/compose.ts'
import { makeForwardLink } from '../../record/forward-link.ts'
import { findTarget, noteAsked } from '../../store/directory/forward-targets.ts'
import type { Task } from '../../store/mail/tasks.ts'
import type { AskState } from '../../store/sending/owed.ts'
import { take } from '../take.ts'
import { endTask } from './end.ts'

/** Sends the question and ends the task; ends it alone where nobody is to be asked (any more). @throws Problem where it is to be tried again. */
export async function sendQuestion(ctx: Caller, task: Task, state: AskState): Promise<void> {
  const account = ctx.account.number
  const target = await findTarget(ctx.stores, account, { email: task.ref })
  const to = parseAddress(task.ref)
  const from = parseAddress(state.from)
  if (!target || !to || !from || target.verifiedAt !== null || !mayAsk(target, ctx.now())) return endTask(ctx, task)
  const sender = await findSender(ctx, from)
  const link = await makeForwardLink(ctx, { account, target: target.id, from: from.address })
  const id = newId(ctx)
  const bytes = await compose({
    from: { address: from },
    to: [{ address: to }],
    cc: [],
    replyTo: [],
    subject: `May ${from.address} forward mail to you?`,
    text: question(from.address, to.address, link),
    headers: [['Auto-Submitted', 'auto-generated']],
    attachments: [],
    date: ctx.now(),
    messageId: `<${id}@${from.domain}>`,
    boundary: newToken(ctx),
  })
  const submission = { id, bytes, sender, reversePath: from.address, recipients: [to], bcc: [], tags: [] }
  await take(ctx, [{ ...submission, fulfils: { task } }], { id }, undefined)
  // Where this is lost, the account may have him asked once more than it should.
  await noteAsked(ctx.stores, account, target.email, ctx.now())
}

function question(from: string, to: string, link: string): string {
  return [
    `${from} asks to forward mail to ${to}.`,
    '',
    'If you want that, open this page within seven days and agree:',
    '',
    link,
    '',
    'If you do not, or do not know who asks, you need not do anything: nothing will be forwarded to you.',
    '',
  ].join('\n')
}
