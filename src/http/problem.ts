/** Refusals in HTTP's words: every code has a status and the name that Resend's clients know. */
import { Problem, type ProblemCode } from '../base/problem.ts'

type Face = { status: 400 | 401 | 403 | 404 | 405 | 409 | 411 | 413 | 422 | 429 | 503; name?: string }

const FACE = {
  invalid_idempotency_key: { status: 400 },
  missing_api_key: { status: 401 },
  restricted_api_key: { status: 401 },
  invalid_api_key: { status: 403 },
  not_found: { status: 404 },
  method_not_allowed: { status: 405 },
  invalid_idempotent_request: { status: 409 },
  concurrent_idempotent_requests: { status: 409 },
  conflict: { status: 409 },
  length_required: { status: 411 },
  payload_too_large: { status: 413 },
  invalid_request: { status: 400, name: 'validation_error' },
  missing_required_field: { status: 422 },
  invalid_parameter: { status: 422 },
  invalid_attachment: { status: 422 },
  invalid_from_address: { status: 422 },
  validation_error: { status: 422 },
  domain_not_verified: { status: 403, name: 'validation_error' },
  message_refused: { status: 422 },
  rate_limit_exceeded: { status: 429 },
  daily_quota_exceeded: { status: 429 },
  service_unavailable: { status: 503 },
} as const satisfies Record<ProblemCode, Face>

/** The status of a code, for answers and for the documentation. */
export function statusOf(code: ProblemCode): Face['status'] {
  return FACE[code].status
}

/** The name of a code, as answers show it. */
export function nameOf(code: ProblemCode): string {
  const face: Face = FACE[code]
  return face.name ?? code
}

/** The JSON answer of a refusal. */
export function renderProblem(problem: Problem, requestId: string): Response {
  const face: Face = FACE[problem.code]
  const { fields, fix, retryAfter } = problem.detail
  const body = {
    statusCode: face.status,
    name: nameOf(problem.code),
    message: problem.message,
    ...(fields && fields.length > 0 ? { fields } : {}),
    ...(fix ? { fix } : {}),
    request_id: requestId,
  }
  const headers = retryAfter === undefined ? undefined : { 'retry-after': String(retryAfter) }
  return Response.json(body, { status: face.status, ...(headers ? { headers } : {}) })
}

/** The answer to a bug or trouble of ours: the request id, and nothing that could tell a secret. */
export function renderBug(requestId: string): Response {
  const message = 'Something went wrong on our side. The log has the details under this request id.'
  return Response.json({ statusCode: 500, name: 'application_error', message, request_id: requestId }, { status: 500 })
}

/** What D1 and R2 say when they cannot serve just now; any other error of theirs is a bug of ours. */
const TROUBLE =
  /network connection lost|object to be reset|its code was updated|transient issue|overloaded|internal error|storage is down/i

/** The refusal where storage failed us; undefined where something else did. */
export function storageTrouble(error: unknown, method: string): Problem | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if (!TROUBLE.test(cause.message)) continue
    if (method === 'GET' || method === 'HEAD') {
      return new Problem('service_unavailable', 'Storage does not answer.', { retryAfter: 5 })
    }
    return new Problem('service_unavailable', 'The outcome is unknown: storage did not answer.', {
      fix: 'Repeat the request, with the same Idempotency-Key where it makes something.',
      retryAfter: 5,
    })
  }
  return undefined
}
