/** The REST face: request id, key, schemas, one verb, an answer. */
import { Hono } from 'hono'
import { describeError } from '../base/log.ts'
import { Problem } from '../base/problem.ts'
import type { Context, Notes } from '../context.ts'
import { authorise } from './auth.ts'
import { readOnce } from './once.ts'
import { bySpecificity, plainPath, unknownPath, unservedPaths } from './paths.ts'
import { renderBug, renderProblem, storageTrouble } from './problem.ts'
import { fullTurn, quotaHeaders, rateHeaders, type Turn, takeTurn } from './rate.ts'
import type { Bound } from './route.ts'
import { check, readJson } from './validate.ts'

type Env = { Bindings: { ctx: Context }; Variables: { turn?: Turn; notes?: Notes } }

/** Makes the app over all routes; call its `fetch(request, { ctx })`. */
export function makeApp(routes: readonly Bound[]) {
  const app = new Hono<Env>({ getPath: plainPath })
  const ordered = [...routes].sort((a, b) => bySpecificity(a.spec.path, b.spec.path))
  const paths = [...new Set(ordered.map((bound) => bound.spec.path))]

  app.use(async (c, next) => {
    await next()
    c.res = finish(c.res, c.env.ctx, c.get('turn'), c.get('notes'))
  })
  for (const path of unservedPaths(paths)) {
    app.all(path, (c) => {
      throw unknownPath(c.req.path)
    })
  }
  for (const bound of ordered) {
    app.on(bound.spec.method, bound.spec.path, async (c) => {
      const { ctx, counted, notes } = await authorise(c.env.ctx, bound.spec, c.req.raw)
      const turn = takeTurn(ctx, counted)
      c.set('turn', turn)
      c.set('notes', notes)
      if (!turn.granted) throw tooMany(turn)
      return serve(bound, ctx, c.req.raw, { params: c.req.param(), path: c.req.path })
    })
  }
  for (const path of paths) {
    const allowed = methodsOf(ordered.filter((bound) => bound.spec.path === path))
    app.all(path, (c) => {
      const headers = { allow: allowed.join(', ') }
      if (c.req.method === 'OPTIONS') return Response.json({ allow: allowed }, { headers })
      const problem = new Problem('method_not_allowed', `${c.req.method} is not served here`, {
        fix: `Use ${allowed.join(' or ')}.`,
      })
      const answer = renderProblem(problem, c.env.ctx.requestId)
      answer.headers.set('allow', headers.allow)
      return answer
    })
  }
  app.notFound((c) => renderProblem(unknownPath(c.req.path), c.env.ctx.requestId))
  app.onError((error, c) => renderError(error, c.env.ctx, c.req.method))
  return app
}

async function serve(
  bound: Bound,
  ctx: Context,
  request: Request,
  at: { params: Record<string, string>; path: string },
) {
  const { spec } = bound
  const query = spec.query ? check(spec.query, queryOf(request), 'query') : undefined
  const headers = spec.headers ? check(spec.headers, Object.fromEntries(request.headers), 'query') : undefined
  const raw = spec.body ? await readJson(request) : undefined
  const once = spec.creates ? await readOnce(request, at.path, raw) : undefined
  const body = spec.body ? check(spec.body, raw, 'body') : undefined
  const answer = await bound.handle({ ctx, params: at.params, query, headers, body, once, request })
  return answer instanceof Response ? answer : Response.json(answer, { status: spec.status ?? 200 })
}

/** Every answer carries its request id, rate headers, and leave to nobody to guess its type. */
function finish(response: Response, ctx: Context, turn: Turn = fullTurn(ctx), notes: Notes = {}): Response {
  const answer = new Response(response.body, response)
  answer.headers.set('x-request-id', ctx.requestId)
  answer.headers.set('x-content-type-options', 'nosniff')
  if (!answer.headers.has('cache-control')) answer.headers.set('cache-control', 'no-store')
  for (const [name, value] of Object.entries(rateHeaders(turn))) answer.headers.set(name, value)
  for (const [name, value] of Object.entries(quotaHeaders(ctx, notes))) answer.headers.set(name, value)
  return answer
}

function renderError(error: unknown, ctx: Context, method: string): Response {
  if (error instanceof Problem) return renderProblem(error, ctx.requestId)
  ctx.log('error', 'request failed', { request_id: ctx.requestId, error: describeError(error) })
  const trouble = storageTrouble(error, method)
  return trouble ? renderProblem(trouble, ctx.requestId) : renderBug(ctx.requestId)
}

function tooMany(turn: Turn): Problem {
  return new Problem('rate_limit_exceeded', `Too many requests: at most ${turn.limit} a second.`, {
    fix: 'Wait as retry-after says, and send fewer at once.',
    retryAfter: turn.resetSeconds,
  })
}

/** HEAD is served wherever GET is. */
function methodsOf(bound: readonly Bound[]): string[] {
  return bound.flatMap(({ spec }) => (spec.method === 'GET' ? ['GET', 'HEAD'] : [spec.method]))
}

function queryOf(request: Request): Record<string, string> {
  return Object.fromEntries(new URL(request.url).searchParams)
}
