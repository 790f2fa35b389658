/** Mail as one file, written as it is read: one object after the other, so memory does not grow with the mailbox. */

import { utf8 } from '../../base/bytes.ts'
import { notFound } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import { MboxQuoter, mboxHead } from '../../mail/mbox.ts'
import { listMailboxes } from '../../store/mail/boxes.ts'
import type { HeldMessage } from '../../store/mail/rows.ts'
import { type Scan, scanMessages } from '../../store/mailbox/scan.ts'
import { getRaw } from '../../store/objects.ts'

/** `next` is where the following request begins, where there is more. */
export type Exported = { stream: ReadableStream<Uint8Array>; filename: string; next: string | undefined }

type Page = { after?: string | undefined; limit: number }

/** Rows read at once. */
const WINDOW = 500

/** A mailbox, as messages entered it. @throws Problem not_found. */
export async function exportMailbox(ctx: Caller, name: string, page: Page): Promise<Exported> {
  const boxes = await listMailboxes(ctx.stores, ctx.account)
  const box = boxes.find(({ id, role }) => id === name || role === name)
  if (!box) throw notFound('Mailbox')
  return exported(ctx, { mailbox: box.number }, page, box.name)
}

/** All of the account, by the age of the messages: so nothing that moves meanwhile is missed or told twice. */
export async function exportAccount(ctx: Caller, page: Page): Promise<Exported> {
  return exported(ctx, {}, page, 'mail')
}

async function exported(ctx: Caller, scan: Scan, page: Page, name: string): Promise<Exported> {
  const lines: HeldMessage[] = []
  let next = page.after
  do {
    const limit = Math.min(WINDOW, page.limit - lines.length)
    const found = await scanMessages(ctx.stores, ctx.account, scan, { after: next, window: limit, limit })
    lines.push(...found.messages)
    next = found.next
  } while (next !== undefined && lines.length < page.limit)
  const boxes = await listMailboxes(ctx.stores, ctx.account)
  const names = new Map(boxes.map(({ number, name: of }) => [number, of]))
  return { stream: streamOf(write(ctx, lines, names)), filename: `${name}.mbox`, next }
}

async function* write(
  ctx: Caller,
  lines: readonly HeldMessage[],
  names: ReadonlyMap<number, string>,
): AsyncGenerator<Uint8Array> {
  for (const { id, sender, createdAt, mailbox, keywords, rawKey } of lines) {
    const object = await getRaw(ctx.stores, rawKey)
    const note = { id, mailbox: names.get(mailbox.number) ?? '', keywords, missing: !object }
    yield mboxHead({ sender, at: createdAt }, note)
    const quoter = new MboxQuoter()
    if (!object) {
      // Deleted for good since the page was read, or lost: either way the file says so, in the message's place.
      ctx.log('warn', 'raw message missing', { message: id })
      yield utf8(
        `Subject: (missing)\n\nThe bytes of the message ${id} were not in storage when this file was written.\n`,
      )
    } else {
      for await (const chunk of object.body) yield* quoter.write(chunk)
    }
    yield* quoter.end()
  }
}

/** Read on only as it is taken. */
function streamOf(chunks: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await chunks.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await chunks.return(undefined)
    },
  })
}
