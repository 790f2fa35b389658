/** Places for variables in a text: `{{NAME}}`, escaped where the text is HTML, and `{{{NAME}}}`, put in as it is. */

export type Place = { readonly start: number; readonly end: number; readonly name: string; readonly raw: boolean }

/** Names are bounded and so are blanks: each position is looked at a bounded number of times. What is no place stays as it stands. */
const PLACE = /\{\{\{[ \t]{0,4}([A-Za-z0-9_]{1,50})[ \t]{0,4}\}\}\}|\{\{[ \t]{0,4}([A-Za-z0-9_]{1,50})[ \t]{0,4}\}\}/g

/** Every place of a text, in order. */
export function* placesIn(text: string): Generator<Place> {
  for (const match of text.matchAll(PLACE)) {
    const [whole, raw, escaped] = match
    yield { start: match.index, end: match.index + whole.length, name: raw ?? escaped ?? '', raw: raw !== undefined }
  }
}

/**
 * Puts values in their places; what a value holds is never looked at for places again.
 * Undefined where the text would be longer than `most` code units: a short value in many places grows without end.
 */
export function fill(text: string, valueAt: (place: Place) => string, most: number): string | undefined {
  const pieces: string[] = []
  let at = 0
  let length = text.length
  for (const place of placesIn(text)) {
    const value = valueAt(place)
    length += value.length - (place.end - place.start)
    // The places still to come can shorten it by no more than the text's own length.
    if (length > most + text.length) return undefined
    pieces.push(text.slice(at, place.start), value)
    at = place.end
  }
  pieces.push(text.slice(at))
  return length > most ? undefined : pieces.join('')
}

/** Text as HTML shows it, in an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
