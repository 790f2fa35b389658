/** Compares texts as conditions do: without regard to case or to how Unicode spells a thing, and in linear time. */

/** The one spelling in which texts are compared; white space of any kind and length is one space. */
export function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase().normalize('NFKC').replace(/\s+/g, ' ').trim()
}

/**
 * Whether the whole text fits the pattern, where `*` stands for any run of characters and `?` for one. Each piece
 * between stars is looked for once, from where the one before it ended: nothing is ever tried a second time.
 */
export function matchesGlob(text: string, pattern: string): boolean {
  const pieces = pattern.split('*')
  const first = pieces[0] ?? ''
  const last = pieces.at(-1) ?? ''
  if (pieces.length === 1) return text.length === pattern.length && fitsAt(text, pattern, 0)
  if (text.length < first.length + last.length) return false
  const end = text.length - last.length
  if (!fitsAt(text, first, 0) || !fitsAt(text, last, end)) return false
  let at = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = findPiece(text, piece, at, end)
    if (found < 0) return false
    at = found + piece.length
  }
  return true
}

/** What `matchesGlob` may cost at most, in characters looked at. */
export function globCost(text: string, pattern: string): number {
  const longest = pattern
    .split('*')
    .reduce((most, piece) => (piece.includes('?') ? Math.max(most, piece.length) : most), 1)
  return text.length * longest + pattern.length
}

function findPiece(text: string, piece: string, from: number, end: number): number {
  if (!piece.includes('?')) {
    const found = text.indexOf(piece, from)
    return found + piece.length <= end ? found : -1
  }
  for (let at = from; at + piece.length <= end; at++) if (fitsAt(text, piece, at)) return at
  return -1
}

function fitsAt(text: string, piece: string, at: number): boolean {
  for (let index = 0; index < piece.length; index++) {
    const wanted = piece.charCodeAt(index)
    if (wanted !== QUESTION && wanted !== text.charCodeAt(at + index)) return false
  }
  return true
}

const QUESTION = 0x3f
