/** Makes typed input of a request, or a refusal that names every field at fault. */
import type * as z from 'zod'
import { concat } from '../base/bytes.ts'
import { type FieldFault, Problem } from '../base/problem.ts'
import { refuseMonsters } from './monsters.ts'
import { reasonOf } from './reasons.ts'

/** 10 MiB of attachments in base64 with room for the rest; a list of byte numbers is longer, and larger mail goes raw. */
export const MAX_JSON_BYTES = 16 * 1024 * 1024

/** Reads the body as JSON. An empty body is an empty object: clients send one with a JSON content type. */
export async function readJson(request: Request): Promise<unknown> {
  const declared = Number(request.headers.get('content-length') ?? 0)
  if (declared > MAX_JSON_BYTES) throw tooLarge()
  const bytes = await readCapped(request, MAX_JSON_BYTES)
  if (bytes.length === 0) return {}
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
  } catch {
    throw new Problem('invalid_request', 'The body is not valid JSON in UTF-8.', {
      fix: 'Send a JSON object with Content-Type: application/json.',
    })
  }
}

/** Somebody who reads them fixes the first ones first; a list of a million would be no answer. */
const MAX_FAULTS = 100

/** Checks a value against a schema; every fault is told (of very many the first), the first in the message. */
export function check<T extends z.ZodType>(schema: T, value: unknown, what: 'body' | 'query'): z.output<T> {
  refuseMonsters(value)
  const read = schema.safeParse(value, { error: reasonOf })
  if (read.success) return read.data
  const { issues } = read.error
  // What is no object at all lacks no field.
  const whole = issues.filter((issue) => issue.code === 'invalid_type' && issue.path.length === 0)
  const fields = (whole.length > 0 ? whole : issues).flatMap((issue) => faultsOf(issue, value)).slice(0, MAX_FAULTS)
  const missing = fields.find((field) => field.reason === MISSING)
  if (missing) throw new Problem('missing_required_field', `Missing \`${missing.path}\` field.`, { fields })
  const first = fields[0]
  const message = first?.path ? `Invalid \`${first.path}\`: ${first.reason}` : `Invalid ${what}: ${first?.reason}`
  throw new Problem(what === 'query' ? 'invalid_parameter' : 'validation_error', message, { fields })
}

const MISSING = 'is required'

function faultsOf(issue: z.core.$ZodIssue, value: unknown): FieldFault[] {
  const reached = reachedIn(value, issue.path)
  const path = pathText(reached)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: pathText([...issue.path, key]), reason: 'is not a field of this request' }))
  }
  // The value as it was sent decides: zod calls null and what is absent by one code.
  if (at(value, reached) === undefined && reached.length > 0) return [{ path, reason: MISSING }]
  if (issue.code === 'invalid_union') return unionFaults(issue, value, path)
  return [{ path, reason: issue.message }]
}

/** Where the value has the kind of one form alone, it is the faults inside that one; else all that it might have been. */
function unionFaults(issue: z.core.$ZodIssueInvalidUnion, value: unknown, path: string): FieldFault[] {
  const near = issue.errors.filter((branch) => branch.every((inner) => inner.path.length > 0 || !ofKind(inner)))
  const [only, ...others] = near
  if (only && others.length === 0) {
    return only.flatMap((inner) => faultsOf({ ...inner, path: [...issue.path, ...inner.path] }, value))
  }
  const reasons = issue.errors.flatMap((branch) => branch.map((inner) => inner.message))
  return [{ path, reason: [...new Set(reasons)].join(', or ') || issue.message }]
}

/** Whether it says that the value is of another kind altogether. */
function ofKind({ code }: z.core.$ZodIssue): boolean {
  return code === 'invalid_type' || code === 'invalid_value'
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text ? `${text}.${String(step)}` : String(step)
  }, '')
}

/** How far a path leads into what was sent: of a text that is read as a list, its places are nowhere to be found. */
function reachedIn(value: unknown, path: readonly PropertyKey[]): readonly PropertyKey[] {
  const end = path.findIndex((_, place) => {
    const inner = at(value, path.slice(0, place))
    return inner !== undefined && (typeof inner !== 'object' || inner === null)
  })
  return end < 0 ? path : path.slice(0, end)
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, step) : undefined),
    value,
  )
}

async function readCapped(request: Request, cap: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > cap) throw tooLarge()
    chunks.push(chunk)
  }
  return concat(chunks)
}

function tooLarge(): Problem {
  return new Problem('payload_too_large', `The body is larger than ${MAX_JSON_BYTES} bytes.`, {
    fix: 'Send large attachments by raw mail to POST /outbound.',
  })
}
