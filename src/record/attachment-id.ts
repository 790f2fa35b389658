/** Ids of attachments: made of the message's id and the part's place in it, so that they need no row and never change. */
import { uuidBytes, uuidv8 } from '../base/id.ts'
import { allParts, isAttachment, type Part } from '../mail/mime/parts.ts'

/** The ids of a message's attachments by the path of their part. */
export function attachmentIds(messageId: string, root: Part): Map<string, string> {
  const ids = new Map<string, string>()
  for (const [place, part] of allParts(root).entries()) {
    if (isAttachment(part)) ids.set(part.path, placedId(messageId, place))
  }
  return ids
}

/** The attachment that an id or a part's path names; undefined where the message has none such. */
export function findAttachment(messageId: string, root: Part, name: string): Part | undefined {
  return allParts(root).find(
    (part, place) => isAttachment(part) && (part.path === name || placedId(messageId, place) === name),
  )
}

/** A version 8 UUID: the message's own bytes with the place in the last two, of which a tree of 1,000 parts needs ten bits. */
function placedId(messageId: string, place: number): string {
  const bytes = uuidBytes(messageId)
  bytes[14] = (bytes[14] ?? 0) ^ (place >>> 8)
  bytes[15] = (bytes[15] ?? 0) ^ (place & 255)
  return uuidv8(bytes)
}
