/** Where in a line the words that were looked for stand: told as places, so that nobody has to trust markup in a stranger's text. */
import type { Phrase, Query } from './query.ts'
import { type Token, wordsOf } from './words.ts'

/** From (counted in) to (counted out), in UTF-16 units. */
export type Mark = [number, number]

/** The places of the query's words in a text, in order, none overlapping. */
export function marksIn(text: string, { phrases }: Query): Mark[] {
  const words = wordsOf(text)
  const found = phrases
    .filter(({ not, field }) => !not && (field === undefined || field === 'body'))
    .flatMap((phrase) => words.flatMap((_, at) => markAt(words, at, phrase)))
    .sort(([a], [b]) => a - b)
  const marks: Mark[] = []
  for (const [start, end] of found) {
    const last = marks.at(-1)
    if (last && start <= last[1]) last[1] = Math.max(last[1], end)
    else marks.push([start, end])
  }
  return marks
}

function markAt(words: readonly Token[], at: number, { tokens, prefix }: Phrase): Mark[] {
  const stands = tokens.every((token, place) => {
    const word = words[at + place]?.text
    return prefix && place === tokens.length - 1 ? word?.startsWith(token) : word === token
  })
  const first = words[at]
  const last = words[at + tokens.length - 1]
  if (!stands || !first || !last) return []
  // A pair that was found by its first character shows that character alone.
  const wanted = tokens.at(-1) ?? ''
  const end = prefix && !last.single && isUnspaced(wanted) ? last.start + wanted.length : last.end
  return [[first.start, Math.max(...words.slice(at, at + tokens.length - 1).map((word) => word.end), end)]]
}

function isUnspaced(token: string): boolean {
  return wordsOf(token)[0]?.single === true
}
