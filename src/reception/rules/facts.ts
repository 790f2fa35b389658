/** What conditions are about: one mail for one address, out of what was read of it. */
import { decodeEncodedWords } from '../../mail/mime/charset.ts'
import { fieldMap } from '../../mail/mime/header.ts'
import { visibleText } from '../../mail/mime/preview.ts'
import type { ReadMessage } from '../../mail/mime/read.ts'
import type { NewMessage } from '../../store/mail/filing.ts'
import { fold } from './match.ts'

/**
 * Text beyond this is not looked at: words that decide where a mail belongs stand in its first pages. It bounds every
 * field as it is compared, too: some characters unfold to eighteen, and a mail of them must not put all rules out of work.
 */
export const MAX_TEXT = 32 * 1024

/** HTML is mostly tags. */
const MAX_HTML = 256 * 1024

/** A longer value is no value that a person compares; decoding may cost the square of it. */
const MAX_HEADER = 4 * 1024

/** Values of one field, or names of one list, that are read. */
const MAX_VALUES = 200

/** What a message's row says of it, whether it is about to be stored or long was. */
export type Described = Pick<
  NewMessage,
  'sender' | 'recipient' | 'address' | 'tag' | 'parties' | 'subject' | 'size' | 'hasAttachment' | 'verdicts' | 'marks'
>

/** What its bytes say beside that. */
export type Contents = Pick<ReadMessage, 'headers' | 'text' | 'html' | 'attachments'>

/** A mail that can be asked; each answer is folded, and made once. */
export class Facts {
  readonly #described: Described
  readonly #contents: Contents
  readonly #known = new Map<string, string[]>()
  #headers: Record<string, string[]> | undefined

  constructor(described: Described, contents: Contents) {
    this.#described = described
    this.#contents = contents
  }

  /** All values that a text field has, folded. */
  texts(field: string): string[] {
    const known = this.#known.get(field)
    if (known) return known
    const values: string[] = []
    let left = MAX_TEXT
    for (const value of this.#values(field)) {
      if (left <= 0) break
      const text = fold(value).slice(0, left)
      left -= text.length
      values.push(text)
    }
    this.#known.set(field, values)
    return values
  }

  get size(): number {
    return this.#described.size
  }

  is(field: string): boolean {
    if (field === 'has_attachment') return this.#described.hasAttachment
    return this.#described.marks?.[field === 'list' ? 'list' : 'auto'] !== undefined
  }

  #values(field: string): string[] {
    const { sender, recipient, address, tag, parties, subject, verdicts } = this.#described
    switch (field) {
      case 'envelope_from':
        return [sender]
      case 'envelope_to':
        return present(recipient)
      case 'address':
        return present(address)
      case 'tag':
        return present(tag)
      case 'from':
      case 'to':
      case 'cc':
      case 'reply_to':
        return parties[field].slice(0, MAX_VALUES).flatMap(spellings)
      case 'subject':
        return [subject]
      case 'spf':
      case 'dkim':
      case 'dmarc':
        return present(verdicts?.[field] ?? null)
      case 'filename':
        return this.#contents.attachments.flatMap(({ filename }) => present(filename))
      case 'attachment_type':
        return this.#contents.attachments.map(({ type }) => type)
      case 'text':
        return [(this.#contents.text ?? visibleText((this.#contents.html ?? '').slice(0, MAX_HTML))).slice(0, MAX_TEXT)]
      default:
        return this.#header(field.slice('header:'.length).toLowerCase())
    }
  }

  #header(name: string): string[] {
    this.#headers ??= fieldMap(this.#contents.headers)
    return (this.#headers[name] ?? [])
      .slice(0, MAX_VALUES)
      .map((value) => decodeEncodedWords(value.slice(0, MAX_HEADER)))
  }
}

/** A party as a person may mean it: the address, the name, or both. */
function spellings(party: string): string[] {
  const open = party.lastIndexOf('<')
  if (open < 0 || !party.endsWith('>')) return [party]
  const name = party.slice(0, open).trim().replace(/^"|"$/g, '')
  return [party.slice(open + 1, -1), name, party].filter(Boolean)
}

function present(value: string | null): string[] {
  return value === null || value === '' ? [] : [value]
}
