/** Mail to search for, and what a search answers. */
import type * as z from 'zod'
import type { Caller } from '../../../src/context.ts'
import { ListMessages } from '../../../src/contract/messages.ts'
import { listMessages } from '../../../src/mailbox/read.ts'

let made = 0

type Plain = { subject?: string; text?: string; from?: string; to?: string; cc?: string }

/** A mail of one part in UTF-8. */
export function plainMail({ subject = 'Salom', text = 'hi', from = 'Ann <ann@far.test>', to, cc }: Plain): string {
  return [
    `From: ${from}`,
    `To: ${to ?? 'hello@near.test'}`,
    ...(cc ? [`Cc: ${cc}`] : []),
    `Subject: ${subject}`,
    `Message-ID: <${++made}@far.test>`,
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    text,
    '',
  ].join('\r\n')
}

export type Listed = z.input<(typeof ListMessages)['answer']>

/** A page of GET /messages. */
export function page(ctx: Caller, query: Record<string, string>): Promise<Listed> {
  return listMessages(ctx, ListMessages.query.parse(query))
}

/** The ids that a search finds, newest first. */
export async function found(ctx: Caller, q: string, more: Record<string, string> = {}): Promise<string[]> {
  const { data } = await page(ctx, { q, limit: '100', ...more })
  return data.map(({ id }) => id)
}
