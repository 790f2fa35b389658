/** Bodies that are JSON and yet no request: refused before a schema looks at them, because each fault it finds takes memory. */
import { Problem } from '../base/problem.ts'

/** A hundred mails with all their recipients, headers and tags have fewer; lists of bytes count as one. */
const MAX_VALUES = 50_000

/** No body of ours nests so deep; a stranger's might, to exhaust the stack. */
const MAX_DEPTH = 64

/** Refuses what is too deep, of too many values, or has a member that objects cannot keep. @throws Problem. */
export function refuseMonsters(body: unknown): void {
  let left = MAX_VALUES
  const look = (value: unknown, name: string, depth: number) => {
    if (--left < 0) throw new Problem('invalid_request', `The body holds more than ${MAX_VALUES} values.`)
    if (depth > MAX_DEPTH) throw new Problem('invalid_request', `The body nests deeper than ${MAX_DEPTH} levels.`)
    if (typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) {
      if (mayHoldBytes(name) && value.every(isByte)) return
      for (const item of value) look(item, '', depth + 1)
      return
    }
    if (Object.hasOwn(value, UNKEEPABLE)) throw unkeepable()
    for (const [member, inner] of Object.entries(value)) look(inner, member, depth + 1)
  }
  look(body, '', 0)
}

/** The names under which an attachment's bytes come as a list of numbers. */
function mayHoldBytes(name: string): boolean {
  return name === 'content' || name === 'data'
}

function isByte(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= 255 && Number.isInteger(value)
}

/** To copy an object with a member of this name sets its prototype: schemas leave the member out, and nothing may be left out in silence. */
const UNKEEPABLE = '__proto__'

function unkeepable(): Problem {
  return new Problem('validation_error', `No member of a body may be named \`${UNKEEPABLE}\`.`, {
    fields: [{ path: UNKEEPABLE, reason: 'is not a field of any request' }],
  })
}
