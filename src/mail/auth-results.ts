/**
 * What the door through which a message came found out about its sender: Authentication-Results (RFC 8601) and
 * Received-SPF (RFC 7208 section 9.1).
 *
 * Anyone can write such fields into a message, so these rules all hold:
 * 1. The field bears an authserv-id (for Received-SPF a receiver) that is configured.
 * 2. It stands above the first Received line that is not the door's. A line is the door's where its `by` names one of
 *    the door's hosts; each host counts once, so a forged second line of the same host ends the trust as well.
 * 3. Where the door has hosts, the topmost Received line must be the door's: else the message came another way.
 * 4. Of each id only the topmost field counts: what a door adds stands above all that it was given.
 *
 * This is safe for a door that adds its field to every message, and for one that removes fields with its own id, which
 * RFC 8601 section 5 demands. Nobody can tell a forgery from the work of a door that does neither: do not configure it.
 */
import type { Fields } from './mime/header.ts'

export type Verdict = 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'temperror' | 'permerror' | 'policy'

/** Null where nobody whom we trust said anything. */
export type Verdicts = { spf: Verdict | null; dkim: Verdict | null; dmarc: Verdict | null }

/** The ids under which our doors write their findings, and the host names that their Received lines carry after `by`. */
export type Trusted = { authservIds: readonly string[]; receivedBy: readonly string[] }

/** A door writes a dozen fields; what stands further down is not its work. */
const MAX_FIELDS = 100

/** A field longer than this is no finding of an honest door. */
const MAX_VALUE = 16 * 1024

const VERDICTS: ReadonlySet<string> = new Set([
  'pass',
  'fail',
  'softfail',
  'neutral',
  'none',
  'temperror',
  'permerror',
  'policy',
])

export function readVerdicts(headers: Fields, trusted: Trusted): Verdicts {
  const verdicts: Verdicts = { spf: null, dkim: null, dmarc: null }
  const fields = doorFields(headers, trusted.receivedBy)
  const left = new Set(trusted.authservIds.map((id) => id.toLowerCase()))
  for (const [name, value] of fields) {
    if (name !== 'authentication-results') continue
    const { id, results } = readResults(value)
    if (!left.delete(id)) continue
    for (const [method, verdict] of results) {
      if (method === 'spf' || method === 'dmarc') verdicts[method] ??= verdict
      // A message may bear several signatures; one that holds is enough.
      if (method === 'dkim') verdicts.dkim = verdict === 'pass' ? 'pass' : (verdicts.dkim ?? verdict)
    }
  }
  verdicts.spf ??= receivedSpf(fields, trusted)
  return verdicts
}

/** The topmost fields with names in lower case, as far down as the door can have written them. */
function doorFields(headers: Fields, receivedBy: readonly string[]): Fields {
  const hosts = new Set(receivedBy.map((host) => host.toLowerCase()))
  const own: Fields = []
  let passed = receivedBy.length === 0
  for (const [written, value] of headers.slice(0, MAX_FIELDS)) {
    const name = written.toLowerCase()
    if (name === 'received') {
      if (!hosts.delete(receivingHost(value))) break
      passed = true
    } else if (value.length <= MAX_VALUE) own.push([name, value])
  }
  return passed ? own : []
}

/** The host after `by` in a Received line (RFC 5321 section 4.4); a name that the client gave itself is stepped over. */
function receivingHost(value: string): string {
  const words = tokens(value.slice(0, MAX_VALUE)).map((token) => token.text.toLowerCase())
  const by = words.indexOf('by', words[0] === 'from' ? 2 : 0)
  return by < 0 ? '' : (words[by + 1] ?? '')
}

type Token = { text: string; separator: boolean }

/** Splits a value at white space, `;` and `=`; comments are passed over and quoted strings are parts of words. */
function tokens(value: string): Token[] {
  const found: Token[] = []
  let word: string | undefined
  let depth = 0
  const flush = () => {
    if (word !== undefined) found.push({ text: word, separator: false })
    word = undefined
  }
  for (let at = 0; at < value.length; at++) {
    const character = value.charAt(at)
    if (depth > 0) {
      if (character === '\\') at++
      else if (character === '(') depth++
      else if (character === ')') depth--
    } else if (character === '(') {
      flush()
      depth = 1
    } else if (character === '"') {
      word ??= ''
      for (at++; at < value.length && value[at] !== '"'; at++) {
        if (value[at] === '\\') at++
        word += value.charAt(at)
      }
    } else if (character === ';' || character === '=') {
      flush()
      found.push({ text: character, separator: true })
    } else if (character === ' ' || character === '\t') flush()
    else word = (word ?? '') + character
  }
  flush()
  return found
}

/** `id [version]; method[/version]=result …; …` (RFC 8601 section 2.2). */
function readResults(value: string): { id: string; results: [method: string, verdict: Verdict][] } {
  const [head = [], ...segments] = segmentsOf(tokens(value))
  const results: [string, Verdict][] = []
  const version = head[1]
  // Something other than a version behind the id is no field of this form.
  if (!head[0] || head[0].separator || head.length > 2 || (version && !/^\d{1,3}$/.test(version.text))) {
    return { id: '', results }
  }
  for (const [method, equals, result] of segments) {
    if (!method || method.separator || equals?.text !== '=' || !equals.separator || !result) continue
    const verdict = verdictOf(result.text)
    if (verdict) results.push([method.text.split('/')[0]?.toLowerCase() ?? '', verdict])
  }
  return { id: head[0].text.toLowerCase(), results }
}

function segmentsOf(all: Token[]): Token[][] {
  const segments: Token[][] = [[]]
  for (const token of all) {
    if (token.separator && token.text === ';') segments.push([])
    else segments.at(-1)?.push(token)
  }
  return segments
}

/** `result (comment) key=value; …`: counts where its receiver is one of the door's names. */
function receivedSpf(fields: Fields, trusted: Trusted): Verdict | null {
  const names = new Set([...trusted.authservIds, ...trusted.receivedBy].map((name) => name.toLowerCase()))
  for (const [name, value] of fields) {
    if (name !== 'received-spf') continue
    const all = tokens(value)
    const receiver = all.findIndex(({ text }, at) => text.toLowerCase() === 'receiver' && all[at + 1]?.text === '=')
    if (receiver < 0 || !names.has(all[receiver + 2]?.text.toLowerCase() ?? '')) continue
    return verdictOf(all[0]?.text ?? '')
  }
  return null
}

function verdictOf(text: string): Verdict | null {
  const word = text.toLowerCase()
  return isVerdict(word) ? word : null
}

function isVerdict(word: string): word is Verdict {
  return VERDICTS.has(word)
}
