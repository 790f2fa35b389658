/** What of a message can be searched: who, what about, the names of its files, and the beginning of what it says. */

import { describeError } from '../../base/log.ts'
import { Problem } from '../../base/problem.ts'
import type { Context } from '../../context.ts'
import { listAttachments } from '../../mail/mime/parts.ts'
import { visibleText } from '../../mail/mime/preview.ts'
import { readMessage } from '../../mail/mime/read.ts'
import type { StoredMessage } from '../../store/mail/rows.ts'
import type { Document } from '../../store/search/words.ts'
import { type OpenedMessage, openMessage } from '../raw.ts'
import { factsOf } from './match.ts'
import { indexable } from './words.ts'

/** Characters of the text: some twenty pages. What comes after is quotes and logs, and the index is kept in memory-hungry trees. */
const MAX_BODY = 64 * 1024

/** Characters of HTML that are looked at for its text. */
const MAX_HTML = 512 * 1024

/** Characters of each other field. */
const MAX_FIELD = 16 * 1024

/** Reads what the index needs: one get, for most. What cannot be read of it is left out, never the message. */
export async function documentOf(ctx: Context, message: StoredMessage, n: number): Promise<Document> {
  const { parties } = message
  const { files, body } = await readContent(ctx, message)
  const envelope = [message.recipient ?? '', message.address ?? '', ...message.recipients.map(({ address }) => address)]
  return {
    n,
    message: message.id,
    raw: message.rawKey,
    subject: field([message.subject]),
    sender: field([...parties.from, parties.from.some((from) => from.includes(message.sender)) ? '' : message.sender]),
    recipients: field([...new Set([...parties.to, ...parties.bcc, ...envelope])]),
    copies: field(parties.cc),
    files: field(files),
    body: indexable(body.slice(0, MAX_BODY)),
    facts: factsOf(message),
  }
}

/** Storage that fails is tried again; bytes that are gone, or that no reader can read, are left out. */
async function readContent(ctx: Context, message: StoredMessage): Promise<{ files: string[]; body: string }> {
  let opened: OpenedMessage
  try {
    opened = await openMessage(ctx, message)
  } catch (error) {
    if (error instanceof Problem && error.code === 'not_found') return { files: [], body: '' }
    throw error
  }
  try {
    const { text, html } = readMessage(opened.readable)
    const files = listAttachments(opened.readable.root).map(({ filename }) => filename ?? '')
    return {
      files,
      body: longer(text?.slice(0, MAX_HTML) ?? '', html === undefined ? '' : visibleText(html.slice(0, MAX_HTML))),
    }
  } catch (error) {
    ctx.log('warn', 'a message could not be read for search', { message: message.id, error: describeError(error) })
    return { files: [], body: '' }
  }
}

/** Either form may be a stub that points to the other. */
function longer(text: string, visible: string): string {
  return visible.trim().length > text.trim().length ? visible : text
}

/** Parts that are no phrase together are kept apart. */
function field(parts: readonly string[]): string {
  return indexable(parts.join(' \n ').slice(0, MAX_FIELD))
}
