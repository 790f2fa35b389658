/** Which conversation a message belongs to (RFC 5322 section 3.6.4). */

/** What of a read message names its thread. */
export type Threaded = { messageId: string | undefined; inReplyTo: readonly string[]; references: readonly string[] }

/** An id has 998 characters at most, as a line has (RFC 5322 section 2.1.1); longer ones are no ids. */
const MAX_ID = 998

/** The ids in a field, without angle brackets and repetitions. Text between them (obsolete phrases, comments) is passed over. */
export function messageIds(field: string): string[] {
  const ids = new Set<string>()
  let open = field.indexOf('<')
  for (; open >= 0; open = field.indexOf('<', open + 1)) {
    const close = field.indexOf('>', open + 1)
    if (close < 0) break
    // An angle bracket opened twice: the id begins at the inner one.
    const start = field.lastIndexOf('<', close)
    add(ids, field.slice(start + 1, close))
    open = close
  }
  // QUIRK: some mailers leave the brackets out.
  if (!field.includes('<')) for (const word of field.split(/[\s,]+/)) if (word.includes('@')) add(ids, word)
  return [...ids]
}

/** The messages that this one answers, in the order in which they are named: References, then In-Reply-To. */
export function referenceIds({ inReplyTo, references }: Threaded): string[] {
  return [...new Set([...references, ...inReplyTo].map(normalId))]
}

/** The id whose hash names the thread where none of its messages is known: the first reference, else the message's own id. */
export function threadRoot({ messageId, inReplyTo, references }: Threaded): string | undefined {
  const root = references[0] ?? inReplyTo[0] ?? messageId
  return root === undefined ? undefined : normalId(root)
}

/** An id in the form that is hashed. Some systems fold lines or change the case of the domain on the way. */
export function normalId(id: string): string {
  const bare = id.replace(/\s/g, '')
  const at = bare.lastIndexOf('@')
  return at < 0 ? bare : bare.slice(0, at) + bare.slice(at).toLowerCase()
}

function add(ids: Set<string>, text: string): void {
  const id = text.trim()
  if (id !== '' && id.length <= MAX_ID) ids.add(id)
}
