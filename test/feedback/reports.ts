/** What comes back about sent mail, and how reception leaves it to be read. */
import { utf8 } from '../../src/base/bytes.ts'
import { type Context, newId } from '../../src/context.ts'
import { addFeedbackTask } from '../../src/store/mail/feedback-tasks.ts'
import { bounceKey, putRaw } from '../../src/store/objects.ts'
import type { AccountRef } from '../../src/store/stores.ts'

export const dsn = (to: string, action: string, status: string, diagnosis: string) =>
  [
    'From: MAILER-DAEMON@mx.test',
    'Subject: Delivery Status Notification',
    'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
    '',
    '--b',
    '',
    'See below.',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.test',
    '',
    `Final-Recipient: rfc822; ${to}`,
    `Action: ${action}`,
    `Status: ${status}`,
    `Diagnostic-Code: smtp; ${diagnosis}`,
    '',
    '--b--',
    '',
  ].join('\r\n')

export const bounce = (to: string) => dsn(to, 'failed', '5.1.1', '550 5.1.1 user unknown')

export const complaint = [
  'From: fbl@x.test',
  'Content-Type: multipart/report; report-type=feedback-report; boundary=b',
  '',
  '--b',
  'Content-Type: message/feedback-report',
  '',
  'Feedback-Type: abuse',
  '--b--',
  '',
].join('\r\n')

/** Leaves a report that came to the return path of one recipient of a message. */
export async function leaveReport(
  ctx: Context,
  account: AccountRef,
  about: { message: string; recipient: number },
  text: string | Uint8Array,
): Promise<string> {
  const id = newId(ctx)
  const key = bounceKey(account.number, id, 'x')
  const raw = typeof text === 'string' ? utf8(text) : text
  await putRaw(ctx.stores, key, raw, raw.length)
  await addFeedbackTask(ctx.stores, account, { id, due: ctx.now(), state: { ...about, key, from: '' } })
  return key
}
