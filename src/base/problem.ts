/** A refusal meant for the caller: what stages throw, and every face (REST, SMTP) puts in its own words. */

/** Every way we refuse. The names are those of the REST error table; a face maps each to its own codes. */
export const PROBLEM_CODES = [
  'invalid_idempotency_key',
  'missing_api_key',
  'restricted_api_key',
  'invalid_api_key',
  'not_found',
  'method_not_allowed',
  'invalid_idempotent_request',
  'concurrent_idempotent_requests',
  'conflict',
  'length_required',
  'payload_too_large',
  'invalid_request',
  'missing_required_field',
  'invalid_parameter',
  'invalid_attachment',
  'invalid_from_address',
  'validation_error',
  'domain_not_verified',
  'message_refused',
  'rate_limit_exceeded',
  'daily_quota_exceeded',
  'service_unavailable',
] as const

export type ProblemCode = (typeof PROBLEM_CODES)[number]

/** One field at fault: where it stands in the input (`to[1]`) and what is wrong with it. */
export type FieldFault = { path: string; reason: string }

export type ProblemDetail = {
  /** Every field at fault, not the first alone. */
  fields?: FieldFault[]
  /** What the caller can do about it, in a sentence. */
  fix?: string
  /** Seconds after which to try again, where that helps. */
  retryAfter?: number
}

/** Thrown to refuse; anything else that is thrown is a bug or trouble of the platform, and its text is never shown. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly detail: ProblemDetail

  constructor(code: ProblemCode, message: string, detail: ProblemDetail = {}) {
    super(message)
    this.name = 'Problem'
    this.code = code
    this.detail = detail
  }
}

/** The one answer to what does not exist and to what is a stranger's, so that nobody can tell the two apart. */
export function notFound(thing: string): Problem {
  return new Problem('not_found', `${thing} not found`)
}
