/** What is new in an answer: quotes, what stands above them, signatures and footers taken out. Guessed, as there is no rule. One pass. */
import { visibleText } from '../mime/preview.ts'
import { withoutQuotes } from './html.ts'
import { headerLabel, isHeading, isSentFrom, saysWrote } from './words.ts'

/** Longer lines are text, whatever they begin with. */
const MAX_TOLD_LINE = 300

/** `On … wrote:` is folded by mailers into so many lines at most. */
const MAX_FOLDED = 4

/** Labels of a quoted header stand within so many lines. */
const HEADER_LINES = 8

/** Lines of a signature that is not marked as it should be. */
const MAX_SIGNATURE = 15

/** A list's footer is no longer. */
const MAX_FOOTER = 10

/** The words that the sender added; empty where all is quoted, null where the message has no words at all. */
export function replyText({ text, html }: { text?: string | undefined; html?: string | undefined }): string | null {
  if (text !== undefined && (text.trim() !== '' || html === undefined)) return newLines(text)
  return html === undefined ? null : newLines(visibleText(withoutQuotes(html)))
}

/** A line of the text, and what it is taken for. `cut` goes with no trace but an empty line. */
type Line = { text: string; kind: 'own' | 'blank' | 'quoted' | 'cut' }

function newLines(text: string): string {
  const lines = text.split('\n').map((line): Line => ({ text: line, kind: kindOf(line) }))
  cutHeadings(lines)
  cutAttributions(lines)
  cutSignatures(lines)
  return joined(lines)
}

function kindOf(line: string): Line['kind'] {
  if (/^[\s\u200b\ufeff]*$/.test(line.slice(0, MAX_TOLD_LINE)) && line.length <= MAX_TOLD_LINE) return 'blank'
  return /^ {0,3}>/.test(line) ? 'quoted' : 'own'
}

/** From a heading or a quoted header on all is the other mail. */
function cutHeadings(lines: Line[]): void {
  for (const [at, { text, kind }] of lines.entries()) {
    if (kind !== 'own' || text.length > MAX_TOLD_LINE) continue
    const begins = isHeading(text) || (headerLabel(text.trimStart()) === 'from' && isHeader(lines, at))
    if (!begins) continue
    let from = at
    while (from > 0 && isRuleOrBlank(lines[from - 1])) from--
    cut(lines, from, lines.length)
    return
  }
}

/** Whether two more labels follow soon. */
function isHeader(lines: readonly Line[], at: number): boolean {
  let labels = 0
  for (let next = at + 1; next < lines.length && next < at + HEADER_LINES; next++) {
    if (headerLabel(lines[next]?.text.trimStart() ?? '') === 'other') labels++
  }
  return labels >= 2
}

function isRuleOrBlank(line: Line | undefined): boolean {
  return line?.kind === 'blank' || (line?.kind === 'own' && /^\s{0,8}[-_*=—–]{3,200}\s{0,8}$/.test(line.text))
}

/** `On … wrote:` goes with the quote below it; where nothing below is marked as quoted, all of it is the quote. */
function cutAttributions(lines: Line[]): void {
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]
    if (line?.kind !== 'own' || line.text.length > MAX_TOLD_LINE) continue
    const next = nextWritten(lines, at + 1)
    const above = lines[next]?.kind === 'quoted'
    const from = attributionStart(lines, at, above)
    if (from === undefined) continue
    cut(lines, from, above || next >= lines.length ? at + 1 : lines.length)
  }
}

/** Where the attribution begins whose last line this is; undefined where it is none. */
function attributionStart(lines: readonly Line[], at: number, quoteFollows: boolean): number | undefined {
  const last = lines[at]?.text.trimEnd() ?? ''
  if (!/[:：]\*?$/.test(last) && !(quoteFollows && /^\d{4}[-/年.].*>$/.test(last))) return undefined
  let whole = ''
  for (let from = at; from >= 0 && from > at - MAX_FOLDED && lines[from]?.kind === 'own'; from--) {
    whole = `${lines[from]?.text.trim() ?? ''} ${whole}`.trimEnd()
    if (whole.length > 2 * MAX_TOLD_LINE) return undefined
    if (isAttribution(whole, quoteFollows)) return withWhatIsMissing(lines, from, whole)
  }
  return undefined
}

/** A name or a date that was folded away from its address belongs to it. */
function withWhatIsMissing(lines: readonly Line[], found: number, whole: string): number {
  let from = found
  for (let start = whole; from > 0 && from > found - MAX_FOLDED; from--) {
    const before = lines[from - 1]
    const text = before?.text.trim() ?? ''
    if (before?.kind !== 'own' || text.length > MAX_TOLD_LINE || /[.!?:]$/.test(text)) break
    const belongs = start.startsWith('<') || /^<\S+@\S+>/.test(text) || (!isDated(start) && isDated(text))
    if (!belongs) break
    start = text
  }
  return from
}

function isDated(text: string): boolean {
  return DATE.test(text) || TIME.test(text)
}

const TIME = /\d{1,2}\s?[:.h時时시]\s?\d{2}/
const DATE = /(?:19|20)\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}/
const ADDRESS = /[^\s<>@]{1,64}@[^\s<>@]{1,255}/

function isAttribution(whole: string, quoteFollows: boolean): boolean {
  const dated = isDated(whole)
  const addressed = whole.includes('@') && ADDRESS.test(whole)
  if (!dated && !quoteFollows) return false
  const wrote = saysWrote(whole.toLowerCase())
  // What stands for nothing but its quote may be short: `Ann wrote:`.
  if (quoteFollows)
    return (wrote && (dated || addressed || whole.length <= 80) && isWhole(whole, dated)) || (dated && addressed)
  return addressed && dated && (wrote || /[>)\]]\s?[:：]$/.test(whole))
    ? true
    : wrote && DATE.test(whole) && TIME.test(whole)
}

/** `wrote:` alone is the end of more. */
function isWhole(whole: string, dated: boolean): boolean {
  return dated || whole.split(/\s+/).length > 2 || /^\p{Lu}\S* \S+$/u.test(whole)
}

/** What begins with `-- ` ends at a quote or at the end; marks of programs and footers of lists are at the end of what they end. */
function cutSignatures(lines: Line[]): void {
  let quotedBelow = lines.length
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = lines[at]
    if (line === undefined || line.kind === 'blank') continue
    if (line.kind !== 'own') {
      quotedBelow = at
      continue
    }
    if (line.text.length > MAX_TOLD_LINE) continue
    const trimmed = line.text.trim()
    if (isSignature(lines, at, quotedBelow) || isFooter(lines, at, quotedBelow)) {
      cut(lines, at, quotedBelow)
      quotedBelow = at
    } else if (endsSegment(lines, at) && (isSentFrom(trimmed) || isDashedName(lines, at, trimmed)))
      cut(lines, at, at + 1)
  }
}

/** RFC 3676 section 4.3. QUIRK: many lose the blank behind the dashes; then it is one where few lines follow, else a rule in a text. */
function isSignature(lines: readonly Line[], at: number, end: number): boolean {
  const text = lines[at]?.text ?? ''
  if (text === '-- ') return true
  if (text.trim() !== '--' || end - at > 4 * MAX_SIGNATURE) return false
  return lines.slice(at + 1, end).filter(({ kind }) => kind === 'own').length <= MAX_SIGNATURE
}

/** Whether nothing of one's own follows in this stretch. */
function endsSegment(lines: readonly Line[], at: number): boolean {
  const next = nextWritten(lines, at + 1)
  return next >= lines.length || lines[next]?.kind !== 'own'
}

/** A rule of underscores with a few lines below it, to the end: a list's footer. */
function isFooter(lines: readonly Line[], at: number, end: number): boolean {
  if (!/^_{20,200}$/.test(lines[at]?.text.trim() ?? '') || end - at > 3 * MAX_FOOTER) return false
  const below = lines.slice(at + 1, end).filter(({ kind }) => kind === 'own')
  return below.length <= MAX_FOOTER && below.some(({ text }) => /https?:\/\/|@/.test(text.slice(0, MAX_TOLD_LINE)))
}

/** `-Ann Example`, standing alone: no item of a list. */
function isDashedName(lines: readonly Line[], at: number, trimmed: string): boolean {
  if (!/^[-–—]{1,2} ?\p{Lu}[\p{L}.'’-]{0,30}(?: \p{Lu}[\p{L}.'’-]{0,30}){0,3}$/u.test(trimmed)) return false
  const before = lines.slice(Math.max(0, at - 3), at).filter(({ kind }) => kind === 'own')
  return lines[at - 1]?.kind !== 'own' && !before.some(({ text }) => /^\s*[-*•]/.test(text))
}

function nextWritten(lines: readonly Line[], from: number): number {
  let at = from
  while (at < lines.length && lines[at]?.kind === 'blank') at++
  return at
}

function cut(lines: Line[], from: number, to: number): void {
  for (const line of lines.slice(from, to)) line.kind = 'cut'
}

/** What is left; where something was taken out, one empty line stands between. */
function joined(lines: readonly Line[]): string {
  const kept: string[] = []
  let gap = false
  for (const { text, kind } of lines) {
    if (kind === 'quoted' || kind === 'cut') {
      gap = true
      while (kept.length > 0 && kept.at(-1) === '') kept.pop()
    } else if (kind === 'blank') {
      if (!gap) kept.push('')
    } else {
      if (gap && kept.length > 0) kept.push('')
      gap = false
      kept.push(text.trimEnd())
    }
  }
  return kept.join('\n').replace(/^\n+/, '').trimEnd()
}
