/** Mail that Postmark received: JSON of which only the raw mail and its envelope are read, as it streams by. */

import { listAt, textAt } from '../../base/json.ts'
import { JsonMembers, parsePieces, unescapePieces } from '../../base/json-members.ts'
import { Problem } from '../../base/problem.ts'
import type { Inbound } from './adapter.ts'
import { showsSecret, unproven } from './secret.ts'

/** Beside the mail: an address, and its header fields once more. */
const MAX_ADDRESS = 2000
const MAX_HEADERS = 1024 * 1024

/** In JSON a line break takes twice the room; a mail of line breaks alone is none. */
const SPREAD = 1.5

export const postmarkInbound: Inbound = {
  path: 'inbound',
  // https://postmarkapp.com/developer/user-guide/inbound/parse-an-email: it stops at 403, and tries again at all else.
  refused: 403,
  async read(ctx, { secrets }, { headers, body }) {
    if (!(await showsSecret(headers, secrets.secret))) throw unproven('its secret is missing or wrong')
    const members = new JsonMembers(
      new Map([
        ['RawEmail', Math.floor(ctx.config.MAX_MESSAGE_BYTES * SPREAD)],
        ['OriginalRecipient', MAX_ADDRESS],
        ['Headers', MAX_HEADERS],
      ]),
    )
    for await (const chunk of body) members.write(chunk)
    const found = members.end()
    if (!found) throw new Problem('invalid_request', 'The body is no JSON object, or not the whole of it.')
    const raw = unescapePieces(found.get('RawEmail'))
    if (!raw?.some((piece) => piece.length > 0)) {
      throw new Problem('invalid_request', 'The call has no raw mail.', {
        fix: 'Switch on “Include raw email content in JSON payload” for the inbound stream.',
      })
    }
    const to = parsePieces(found.get('OriginalRecipient'))
    if (typeof to !== 'string' || to === '') {
      throw new Problem('invalid_request', 'The call names no OriginalRecipient.')
    }
    return { from: senderIn(parsePieces(found.get('Headers'))), to: [to], raw }
  },
}

/** No field of its own names the envelope's sender: the Return-Path that it wrote does, or its Received-SPF. */
function senderIn(headers: unknown): string {
  const fields = listAt(2000, headers)
  const named = (name: string) =>
    textAt(
      fields.find((field) => textAt(field, 'Name').toLowerCase() === name),
      'Value',
    ).slice(0, MAX_ADDRESS)
  const path = named('return-path').trim()
  if (path !== '') return path.replace(/^<|>$/g, '')
  return /\benvelope-from="?([^\s;"<>]{1,320})/i.exec(named('received-spf'))?.[1] ?? ''
}
