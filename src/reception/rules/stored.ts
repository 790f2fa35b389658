/** A stored message, ready to be asked: out of its row, and out of its bytes where a rule looks at them. */
import { notFound } from '../../base/problem.ts'
import type { Context } from '../../context.ts'
import type { AskedRule } from '../../directory/receiving/rule.ts'
import { MimeIntake } from '../../mail/mime/indexer.ts'
import { type ReadMessage, readMessage } from '../../mail/mime/read.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import { getRaw } from '../../store/objects.ts'

/** Whether a rule asks for what no row has. */
export function needBytes(rules: readonly AskedRule[]): boolean {
  return rules.some(({ conditions }) =>
    conditions.some(({ field }) => /^(?:header:|text$|filename$|attachment_type$)/.test(field)),
  )
}

/** Reads a message anew as it streams by, as it was read when it came. @throws Problem not_found where its bytes are gone. */
export async function readStored(ctx: Context, message: StoredMessage): Promise<ReadMessage> {
  const object = await getRaw(ctx.stores, message.rawKey)
  if (!object) throw notFound('Message')
  const intake = new MimeIntake()
  for await (const chunk of object.body) intake.write(chunk)
  return readMessage(intake.end())
}
