/** The keywords of a message that comes out of a file: as we noted them, or as other programs mark what was read, answered or flagged. */
import type { ExportNote } from '../../mail/mbox.ts'
import { type Fields, firstField } from '../../mail/mime/header.ts'

/** As many as a message can have. */
const MAX_KEYWORDS = 64

const KEYWORD = /^[$A-Za-z0-9_.-]{1,64}$/

/** By the letters of Status and X-Status (mutt, Dovecot), and the bits of X-Mozilla-Status (Thunderbird). */
const LETTERS: Readonly<Record<string, string>> = { R: '$seen', A: '$answered', F: '$flagged', T: '$draft' }
const BITS: readonly [bit: number, keyword: string][] = [
  [0x0001, '$seen'],
  [0x0002, '$answered'],
  [0x0004, '$flagged'],
  [0x1000, '$forwarded'],
]

/** In lower case, each once. */
export function keywordsOf(ours: ExportNote | undefined, headers: Fields): string[] {
  const named = ours ? ours.keywords : [...flagged(headers), ...words(headers)]
  const valid = named.filter((keyword) => KEYWORD.test(keyword)).map((keyword) => keyword.toLowerCase())
  return [...new Set(valid)].slice(0, MAX_KEYWORDS)
}

function flagged(headers: Fields): string[] {
  const letters = `${firstField(headers, 'status') ?? ''}${firstField(headers, 'x-status') ?? ''}`.slice(0, 100)
  const bits = Number.parseInt(firstField(headers, 'x-mozilla-status')?.slice(0, 8) ?? '0', 16)
  const labels = firstField(headers, 'x-gmail-labels')
    ?.slice(0, 2000)
    .split(',')
    .map((label) => label.trim())
  return [
    ...[...letters].flatMap((letter) => LETTERS[letter] ?? []),
    ...BITS.filter(([bit]) => (bits & bit) !== 0).map(([, keyword]) => keyword),
    ...(labels
      ? [...(labels.includes('Unread') ? [] : ['$seen']), ...(labels.includes('Starred') ? ['$flagged'] : [])]
      : []),
  ]
}

function words(headers: Fields): string[] {
  return (firstField(headers, 'x-keywords') ?? '').slice(0, 8192).split(/[\s,]+/)
}
