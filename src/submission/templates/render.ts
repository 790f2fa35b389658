/** From a template's content and the values for its variables to the texts of a mail; every variable at fault is named. */
import { type FieldFault, Problem } from '../../base/problem.ts'
import type { TemplateContent } from '../../store/templates.ts'
import { escapeHtml, fill, type Place, placesIn } from './engine.ts'

/** The texts of a mail that a template gives. */
export type Texts = Omit<TemplateContent, 'variables'>

/** Values as a request gives them. Those that the template does not know are passed over, as Resend does. */
export type Given = Readonly<Record<string, string | number>>

/** One text's length in code units: what reaches a reader is far smaller, and a mail has room for two of them. */
const MAX_RENDERED = 2 * 1024 * 1024

const ENDS_A_HEADER = /[\r\n\0]/

/**
 * Renders the content. `path` is where the request holds the values, to name them by.
 * @throws Problem missing_required_field or validation_error naming every variable at fault, payload_too_large.
 */
export function render(content: TemplateContent, given: Given, path: string): Texts {
  const values = readValues(content, given, path)
  const plain = ({ name }: Place) => values.get(name) ?? ''
  const escaped = new Map([...values].map(([name, value]) => [name, escapeHtml(value)]))
  const inHtml = ({ name, raw }: Place) => (raw ? values : escaped).get(name) ?? ''
  const filled = (field: string, text: string, valueAt: (place: Place) => string) => {
    const done = fill(text, valueAt, MAX_RENDERED)
    if (done !== undefined) return done
    throw new Problem('payload_too_large', `The template’s \`${field}\` is too long with these variables.`, {
      fix: `Keep it within ${MAX_RENDERED} characters.`,
    })
  }
  const { subject, from, reply_to, html, text } = content
  return {
    subject: subject === null ? null : filled('subject', subject, plain),
    from: from === null ? null : filled('from', from, plain),
    reply_to: reply_to?.map((one) => filled('reply_to', one, plain)) ?? null,
    html: filled('html', html, inHtml),
    text: text === null ? null : filled('text', text, plain),
  }
}

/** A value for each variable that is declared or has a place. */
function readValues(content: TemplateContent, given: Given, path: string): Map<string, string> {
  const declared = new Map(content.variables.map((variable) => [variable.key, variable]))
  const inHeaders = namesIn([content.subject, content.from, ...(content.reply_to ?? [])])
  const wanted = new Set([...declared.keys(), ...inHeaders, ...namesIn([content.html, content.text])])
  // A map, because a variable may be called `constructor`.
  const offered = new Map(Object.entries(given))
  const values = new Map<string, string>()
  const missing: FieldFault[] = []
  const wrong: FieldFault[] = []
  for (const name of wanted) {
    const variable = declared.get(name)
    const value = offered.get(name) ?? variable?.fallback_value
    const at = `${path}.${name}`
    if (value === undefined || value === null) missing.push({ path: at, reason: 'is required' })
    else if (variable && typeof value !== variable.type) wrong.push({ path: at, reason: `must be a ${variable.type}` })
    else if (inHeaders.has(name) && ENDS_A_HEADER.test(String(value))) {
      wrong.push({ path: at, reason: 'must not contain a line break or NUL: it stands in a header' })
    } else values.set(name, String(value))
  }
  refuse(missing, wrong)
  return values
}

function namesIn(texts: readonly (string | null)[]): Set<string> {
  return new Set(texts.flatMap((text) => (text === null ? [] : [...placesIn(text)].map(({ name }) => name))))
}

function refuse(missing: readonly FieldFault[], wrong: readonly FieldFault[]): void {
  const fields = [...missing, ...wrong]
  if (missing.length > 0) {
    const names = missing.map((fault) => `\`${fault.path}\``).join(', ')
    throw new Problem('missing_required_field', `Missing template variable: ${names}.`, {
      fields,
      fix: 'Give a value for each, or give the variable a fallback in the template.',
    })
  }
  const [first] = wrong
  if (first) throw new Problem('validation_error', `Invalid \`${first.path}\`: ${first.reason}`, { fields })
}
