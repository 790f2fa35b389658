/** A body as it was written, out of the one that was sent. */
import type { Part } from '../mail/mime/parts.ts'

/** A body that stands alone has one line break more than was written; an empty one is none. */
export function asWritten(root: Pick<Part, 'parts'>, text: string | null | undefined): string | null {
  const lines = text?.replace(/\r\n/g, '\n') ?? ''
  return (root.parts ? lines : lines.replace(/\n$/, '')) || null
}
