/** What a route is: one table of these is what validates requests, types the handlers and is published as OpenAPI. */
import type * as z from 'zod'
import type { ProblemCode } from '../base/problem.ts'

/** What a key may do. `full_access` has all of an account's; `sending_access` has `emails:send` alone. */
export const ACCOUNT_SCOPES = [
  'account:read',
  'emails:send',
  'messages:read',
  'messages:write',
  'templates:read',
  'templates:write',
  'addresses:read',
  'addresses:write',
  'domains:read',
  'domains:write',
  'keys:read',
  'keys:write',
  'relays:read',
  'relays:write',
  'providers:read',
  'providers:write',
  'rules:read',
  'rules:write',
  'webhooks:read',
  'webhooks:write',
  'events:read',
  'suppressions:read',
  'suppressions:write',
  /** To send to those on the list all the same, where a request asks for it. */
  'suppressions:override',
] as const

export type AccountScope = (typeof ACCOUNT_SCOPES)[number]

/**
 * Who may call: an account's key with the scope (or the operator with X-Account), a key of the instance
 * with `inbound:write`, the operator, or anybody (`public`; `link` proves itself by a signature in the URL).
 */
export type RouteScope = AccountScope | 'inbound:write' | 'operator' | 'public' | 'link'

export type RouteSpec = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** With parameters as `:id`. */
  readonly path: string
  readonly tag: string
  /** One sentence for the reader of the documentation. */
  readonly summary: string
  readonly scope: RouteScope
  /** The operator may call it without X-Account, and then acts on what belongs to the instance (account number 0). */
  readonly instance?: boolean
  readonly query?: z.ZodObject
  /** Header fields of its own, in lower case. */
  readonly headers?: z.ZodObject
  /** The JSON body. Where it is absent a body is ignored, as clients send empty ones with a JSON content type. */
  readonly body?: z.ZodType
  /** The route reads the request's bytes itself. */
  readonly rawBody?: string
  readonly status?: 200 | 201
  /** The JSON answer; absent where bytes or a page are answered. */
  readonly answer?: z.ZodType
  /** The content type of an answer that is not JSON. Beside `answer`, of the one that is given where it is asked for. */
  readonly answers?: string
  /** A POST that makes something: takes an Idempotency-Key. */
  readonly creates?: boolean
  /** Statuses by which a service of others understands that it is to stop, where the problems below have others. */
  readonly told?: readonly (403 | 406)[]
  /** Refusals beyond those that every route has. */
  readonly problems?: readonly ProblemCode[]
}

/** Keeps the literal types of a route's table entry. */
export function route<const S extends RouteSpec>(spec: S): S {
  return spec
}
