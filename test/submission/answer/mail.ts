/** Mail to be answered, and what an answer says once it is stored. */
import type { Caller } from '../../../src/context.ts'
import { MimeIntake } from '../../../src/mail/mime/indexer.ts'
import { type ReadMessage, readMessage } from '../../../src/mail/mime/read.ts'
import { findMessage } from '../../../src/store/mail/reading.ts'
import type { StoredMessage } from '../../../src/store/mail/rows.ts'
import { getRaw } from '../../../src/store/objects.ts'
import { file } from '../../mailbox/mail.ts'
import type { makeAccount } from '../../support/world.ts'

export type Owner = Awaited<ReturnType<typeof makeAccount>>

/** A mail with these header lines and this body, as the owner's address received it; answers its id. */
export async function receive(owner: Owner, header: string[], body = 'Hi there.', recipient = owner.address) {
  const from = header.some((line) => /^from:/i.test(line)) ? [] : ['From: Ann <ann@far.test>']
  return receiveRaw(owner, `${[...header, ...from].join('\r\n')}\r\n\r\n${body}`, recipient)
}

export async function receiveRaw(owner: Owner, mime: string | Uint8Array, recipient = owner.address) {
  return file(owner, mime, { recipient, address: owner.address, tag: null })
}

/** What was stored under an id. */
export async function stored(
  ctx: Caller,
  id: string,
): Promise<{ row: StoredMessage; mime: string; bytes: Uint8Array; read: ReadMessage }> {
  const row = await findMessage(ctx.stores, ctx.account, id)
  const object = row && (await getRaw(ctx.stores, row.rawKey))
  if (!object) throw new Error('there is no such message')
  const bytes = new Uint8Array(await object.arrayBuffer())
  const intake = new MimeIntake()
  intake.write(bytes)
  return { row, bytes, mime: new TextDecoder('latin1').decode(bytes), read: readMessage(intake.end()) }
}

/** The account, once more with other leave. */
export function withScopes(ctx: Owner, ...scopes: string[]): Owner {
  return { ...ctx, access: { key: 'k', scopes: new Set(scopes) } }
}
