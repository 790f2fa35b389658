/**
 * Text as the search index knows it: folded words. The same function reads mail and queries, so the two cannot disagree.
 *
 * Case, width, accents and ligatures are folded; so is what is typed in many ways, the apostrophe of oʻ and gʻ first of all.
 * Scripts that put no space between words are cut into overlapping pairs of characters.
 */

/** A word with its place in the text, in UTF-16 units. */
export type Token = {
  text: string
  start: number
  end: number
  /** Only helps what follows to be found as a phrase, or a part to be found: the end of a query does without. */
  optional: boolean
  /** One character of a script without spaces: to be looked for as the beginning of a pair. */
  single: boolean
}

/** Longer ones are no words but encoded bytes; they are found by their beginning. */
const MAX_TOKEN = 64

/** Scripts that do not divide words by spaces; and Hangul, whose words carry their particles. */
const UNSPACED = String.raw`[[[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Mymr}]&&[\p{L}\p{N}]]--[\uff9e\uff9f]]`

/** What belongs to the character before it; half-width katakana has marks that are letters by name. */
const MARK = String.raw`[\p{M}\uff9e\uff9f]`

/** What stands between letters of one word and means nothing: soft hyphen, joiners. */
const INVISIBLE = String.raw`\u00ad\u200b-\u200d\u2060`

/** All that is typed for an apostrophe, and the two letters of Uzbek that look like one. */
const APOSTROPHE = "['`´‘’‛′ʹʻʼ＇]"

const LETTER = String.raw`[[\p{L}\p{N}]--${UNSPACED}]`
const INNER = String.raw`[[\p{L}\p{N}\p{M}${INVISIBLE}]--${UNSPACED}--[ʹʻʼ]]`

/** A run of an unspaced script, or a word with the apostrophes in it. */
const RUN = new RegExp(`(?<run>(?:${UNSPACED}${MARK}*)+)|${LETTER}${INNER}*(?:${APOSTROPHE}${INNER}+)*`, 'gv')
const UNIT = new RegExp(`${UNSPACED}${MARK}*`, 'gv')
const APOSTROPHES = new RegExp(APOSTROPHE, 'v')

/** The words of a text in their order. */
export function wordsOf(text: string): Token[] {
  const tokens: Token[] = []
  for (const match of text.matchAll(RUN)) {
    if (match.groups?.run === undefined) addWord(tokens, match[0], match.index)
    else addRun(tokens, match[0], match.index)
  }
  return tokens
}

/** The words as the index takes them. */
export function indexable(text: string): string {
  return wordsOf(text)
    .map((token) => token.text)
    .join(' ')
}

/** Pairs that overlap, and the last character once more by itself, so that each character begins a token. */
function addRun(tokens: Token[], run: string, at: number): void {
  const units = [...run.matchAll(UNIT)].map((unit) => ({
    text: fold(unit[0]),
    start: at + unit.index,
    length: unit[0].length,
  }))
  for (const [place, { text, start, length }] of units.entries()) {
    const next = units[place + 1]
    const end = next ? next.start + next.length : start + length
    const last = next === undefined
    add(tokens, { text: next ? text + next.text : text, start, end, optional: last && place > 0, single: last })
  }
}

/** A word as one; where an apostrophe joins two, each of them too: `l'eau` is found by `eau`. */
function addWord(tokens: Token[], written: string, start: number): void {
  const end = start + written.length
  const pieces = written.split(APOSTROPHES)
  add(tokens, { text: fold(pieces.join('')), start, end, optional: false, single: false })
  if (pieces.length === 1 || isUzbek(written)) return
  for (const piece of pieces) {
    if (piece.length > 1) add(tokens, { text: fold(piece), start, end, optional: true, single: false })
  }
}

/** The letters oʻ and gʻ are one however they are typed; but `Toronto's` is a possessive. */
function isUzbek(written: string): boolean {
  return /[ʻʼ]/.test(written) || /[og]['`´‘’‛′ʹ＇](?!s$)/i.test(written)
}

function add(tokens: Token[], token: Token): void {
  const text = token.text.length > MAX_TOKEN ? token.text.slice(0, MAX_TOKEN).toWellFormed() : token.text
  if (text !== '') tokens.push({ ...token, text })
}

/** Marks that may be left out in writing: Latin, Greek and Cyrillic accents, Hebrew points, Arabic vowels and the tatweel. */
const MARKS = /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u0591-\u05c7\u0640\u064b-\u0655\u0670]/g

/** What may come out of taking characters apart (½, ⑴, joiners) and is no part of a word. */
const NO_WORD = /[^\p{L}\p{N}\p{M}]/gu

/** Letters that no decomposition takes apart. */
const LIGATURES: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ħ: 'h',
  ı: 'i',
  ς: 'σ',
}
const LIGATURE = new RegExp(`[${Object.keys(LIGATURES).join('')}]`, 'g')

/** Letters of their own in Cyrillic, whose mark is no accent: й, ў, ї. ё is written as е by most, and folded. */
const OWN_LETTERS: Readonly<Record<string, string>> = { 'и\u0306': 'й', 'у\u0306': 'ў', 'і\u0308': 'ї' }
const OWN_LETTER = /[иу]\u0306|і\u0308/g

function fold(word: string): string {
  if (/^[\0-\x7f]*$/.test(word)) return word.toLowerCase()
  return word
    .toLowerCase()
    .normalize('NFKD')
    .toLowerCase()
    .replace(NO_WORD, '')
    .replace(OWN_LETTER, (letter) => OWN_LETTERS[letter] ?? letter)
    .replace(MARKS, '')
    .replace(LIGATURE, (letter) => LIGATURES[letter] ?? letter)
    .normalize('NFC')
}
