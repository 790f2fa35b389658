/** The REST face: request id, key, schemas, one verb, an answer. */
import { Hono } from 'hono'
import { describeError } from '../base/log.ts'
import { Problem } from '../base/problem.ts'
import type { Context } from '../context.ts'
import { authorise } from './auth.ts'
import { readOnce } from './once.ts'
import { renderBug, renderProblem } from './problem.ts'
import { rateHeaders, takeTurn } from './rate.ts'
import type { Bound } from './route.ts'
import { check, readJson } from './validate.ts'

type Bindings = { ctx: Context }

/** Resend resources that we have no like of: their callers are told so, rather than left to wonder about a path. */
const UNSERVED =
  /^\/(broadcasts|automations|audiences|contacts|contact-properties|topics|segments|events-definitions|logs|oauth)(\/|$)/

/** Makes the app over all routes; call its `fetch(request, { ctx })`. */
export function makeApp(routes: readonly Bound[]) {
  const app = new Hono<{ Bindings: Bindings }>({ getPath: plainPath })
  const ordered = [...routes].sort((a, b) => compareSpecificity(a.spec.path, b.spec.path))

  for (const bound of ordered) {
    app.on(bound.spec.method, bound.spec.path, (c) => serve(bound, c.env.ctx, c.req.raw, c.req.param(), c.req.path))
  }
  for (const path of new Set(ordered.map((bound) => bound.spec.path))) {
    const allowed = ordered.filter((bound) => bound.spec.path === path).map((bound) => bound.spec.method)
    app.all(path, (c) => {
      const problem = new Problem('method_not_allowed', `${c.req.method} is not served here`, {
        fix: `Use ${allowed.join(' or ')}.`,
      })
      const answer = finish(renderProblem(problem, c.env.ctx.requestId), c.env.ctx)
      answer.headers.set('allow', allowed.join(', '))
      return answer
    })
  }
  app.notFound((c) => finish(renderProblem(unknownPath(c.req.path), c.env.ctx.requestId), c.env.ctx))
  app.onError((error, c) => finish(renderError(error, c.env.ctx), c.env.ctx))
  return app
}

async function serve(bound: Bound, ctx: Context, request: Request, params: Record<string, string>, path: string) {
  const { spec } = bound
  const caller = await authorise(ctx, spec, request)
  const turn = takeTurn(caller)
  if (!turn.granted) throw new Problem('rate_limit_exceeded', 'Too many requests.', { retryAfter: turn.resetSeconds })

  const query = spec.query ? check(spec.query, queryOf(request), 'query') : undefined
  const raw = spec.body ? await readJson(request) : undefined
  const once = spec.creates ? await readOnce(request, path, raw) : undefined
  const body = spec.body ? check(spec.body, raw, 'body') : undefined
  const answer = await bound.handle({ ctx: caller, params, query, body, once, request })
  const response = answer instanceof Response ? answer : Response.json(answer, { status: spec.status ?? 200 })
  return finish(response, ctx, rateHeaders(turn))
}

/** Every answer carries its request id, rate headers, and leave to nobody to guess its type. */
function finish(response: Response, ctx: Context, more: Record<string, string> = rateHeaders()): Response {
  const answer = new Response(response.body, response)
  answer.headers.set('x-request-id', ctx.requestId)
  answer.headers.set('x-content-type-options', 'nosniff')
  if (!answer.headers.has('cache-control')) answer.headers.set('cache-control', 'no-store')
  for (const [name, value] of Object.entries(more)) answer.headers.set(name, value)
  return answer
}

function renderError(error: unknown, ctx: Context): Response {
  if (error instanceof Problem) return renderProblem(error, ctx.requestId)
  ctx.log('error', 'request failed', { request_id: ctx.requestId, error: describeError(error) })
  return renderBug(ctx.requestId)
}

function unknownPath(path: string): Problem {
  if (UNSERVED.test(path)) return new Problem('not_found', 'This resource is not served by this mail service.')
  return new Problem('not_found', 'There is no such route.', { fix: 'GET /openapi.json lists every route.' })
}

/** A base URL that ends in a slash doubles the first one; both forms are one path. */
function plainPath(request: Request): string {
  const { pathname } = new URL(request.url)
  const path = pathname.replace(/^\/+/, '/')
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

function queryOf(request: Request): Record<string, string> {
  return Object.fromEntries(new URL(request.url).searchParams)
}

/** Fixed segments before parameters, so that /emails/receiving is not taken for an id. */
function compareSpecificity(a: string, b: string): number {
  const rank = (path: string) => path.split('/').map((step) => (step.startsWith(':') ? '1' : '0'))
  const [left, right] = [rank(a), rank(b)]
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const order = (left[at] ?? '').localeCompare(right[at] ?? '')
    if (order !== 0) return order
  }
  return right.length - left.length
}
