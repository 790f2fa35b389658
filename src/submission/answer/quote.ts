/**
 * The answered message below the words of the answer, as mail programs put it there. Its HTML is a stranger's: it goes out
 * as it came, to be judged by the reader's program as the message itself was, and stands last, where it can hide nothing of ours.
 */

import { visibleText } from '../../mail/mime/preview.ts'
import { formatMailbox, type Mailbox, type ReadMessage } from '../../mail/mime/read.ts'
import { toHtml } from '../../mail/mime/text.ts'
import { cut, oneLine } from './header.ts'

/** Characters: readers clip longer mail anyway, and each answer to an answer would hold it again. */
const MAX_QUOTE = 256 * 1024

const CUT_NOTE = '[The rest of the message is left out here: it is longer than 256 KiB.]'

/** Names of one field; a list of a thousand is no reading matter. */
const MAX_NAMED = 50

const MAX_NAME = 200

/** The words of the one who answers; each form is there or not. */
export type Words = { text?: string; html?: string }

type Quoted = Pick<ReadMessage, 'from' | 'to' | 'cc' | 'subject' | 'text' | 'html'> & {
  /** ms since 1970. */
  date: number
}

/** The words with the message quoted below them, in the forms in which they were given. */
export function quoteReply(words: Words, original: Quoted): Words {
  const line = `On ${shownDate(original.date)}, ${authorOf(original)} wrote:`
  return {
    ...(words.text === undefined
      ? {}
      : { text: `${words.text.trimEnd()}\n\n${line}\n${quoteLines(plainOf(original))}\n` }),
    ...(words.html === undefined
      ? {}
      : { html: below(words.html, `<br>\n${toHtml(line)}\n${BLOCKQUOTE}${htmlOf(original)}</blockquote>\n`) }),
  }
}

/** The words with the message below them as it is, under what its header says; in each form that either of the two has. */
export function quoteForward(words: Words, original: Quoted): Words {
  const head = forwardHead(original)
  const text = words.text === undefined ? head : `${words.text.trimEnd()}\n\n${head}`
  const wantsText = words.text !== undefined || words.html === undefined || original.text !== undefined
  const wantsHtml = words.html !== undefined || original.html !== undefined
  const html = words.html ?? (words.text === undefined ? '' : toHtml(words.text))
  return {
    ...(wantsText ? { text: `${text}\n\n${plainOf(original)}\n` } : {}),
    ...(wantsHtml ? { html: below(html, `<br>\n${toHtml(head)}\n<br>\n<div>${htmlOf(original)}</div>\n`) } : {}),
  }
}

const BLOCKQUOTE = '<blockquote type="cite" style="margin:0 0 0 0.8ex;border-left:1px solid #ccc;padding-left:1ex">\n'

/** Before the end of the document, where the words are one. */
function below(words: string, quote: string): string {
  const end = [...words.matchAll(/<\/body>/gi)].at(-1)?.index ?? words.length
  return `${words.slice(0, end)}\n${quote}${words.slice(end)}`
}

function forwardHead(original: Quoted): string {
  const field = (name: string, mailboxes: readonly Mailbox[]) =>
    mailboxes.length > 0 ? [`${name}: ${listOf(mailboxes)}`] : []
  return [
    '---------- Forwarded message ----------',
    ...field('From', original.from ? [original.from] : []),
    `Date: ${shownDate(original.date)}`,
    `Subject: ${oneLine(original.subject ?? '', 1000)}`,
    ...field('To', original.to),
    ...field('Cc', original.cc),
  ].join('\n')
}

function listOf(mailboxes: readonly Mailbox[]): string {
  const named = mailboxes.slice(0, MAX_NAMED).map((mailbox) => oneLine(formatMailbox(mailbox), 2 * MAX_NAME))
  const more = mailboxes.length - named.length
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function authorOf({ from }: Quoted): string {
  return oneLine(from?.name || from?.address || '', MAX_NAME) || 'somebody'
}

/** As people write it; in UTC, for what zone the reader lives in is not known. */
function shownDate(ms: number): string {
  const [weekday = '', day = '', month = '', year = '', clock = ''] = new Date(ms).toUTCString().split(' ')
  return `${weekday} ${Number(day)} ${month} ${year} at ${clock.slice(0, 5)} UTC`
}

/** RFC 3676 section 4.5: a line that is quoted already gets no space between its marks. */
function quoteLines(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' || line.startsWith('>') ? `>${line}` : `> ${line}`))
    .join('\n')
}

function plainOf({ text, html }: Quoted): string {
  return capped((text ?? visibleText(html ?? '')).trim())
}

/** HTML is quoted whole or, where it is too long, as its text: cut anywhere, it would no longer say what it said. */
function htmlOf(original: Quoted): string {
  const { html } = original
  if (html !== undefined && html.length <= MAX_QUOTE) return html
  return toHtml(html === undefined ? plainOf(original) : capped(visibleText(html)))
}

function capped(text: string): string {
  return text.length > MAX_QUOTE ? `${cut(text, MAX_QUOTE)}\n\n${CUT_NOTE}` : text
}
