/** From a key to a context: who is asking, and may he call this route. */
import { utf8 } from '../base/bytes.ts'
import { Problem } from '../base/problem.ts'
import { sameBytes, sha256Hex } from '../base/seal.ts'
import type { Caller, Context, Notes } from '../context.ts'
import { ACCOUNT_SCOPES, type RouteSpec } from '../contract/route.ts'
import { recognise } from '../directory/access.ts'
import { findAccount, instanceAccount } from '../directory/accounts.ts'
import type { Counted } from './rate.ts'

const ALL_SCOPES: ReadonlySet<string> = new Set(ACCOUNT_SCOPES)

/** The context in which a route's handler acts, and by what the requests of one caller are counted: his own, and his account's. */
export type Authorised = { ctx: Context | Caller; counted: Counted[]; notes: Notes }

/**
 * Refuses in this order: no key, a key that is nobody's, X-Account beside an account's key, a key that may not do this;
 * for the operator no account named, or one that is not there.
 * @throws Problem missing_api_key, invalid_api_key, invalid_request, restricted_api_key, not_found.
 */
export async function authorise(ctx: Context, spec: RouteSpec, request: Request): Promise<Authorised> {
  if (spec.scope === 'public' || spec.scope === 'link') return { ctx, counted: [{ who: 'anybody' }], notes: {} }
  const token = bearer(request)
  const named = request.headers.get('x-account')
  const notes: Notes = {}
  if (await isOperator(ctx, token)) {
    return { ctx: { ...(await asOperator(ctx, spec, named)), notes }, counted: [{ who: 'operator' }], notes }
  }

  const known = await recognise(ctx, token)
  if (!known) throw new Problem('invalid_api_key', 'API key is invalid')
  if (named !== null) {
    throw new Problem(
      'invalid_request',
      'X-Account goes with the operator key only: an account key acts for its own.',
      { fix: 'Leave the X-Account header out.' },
    )
  }
  if (!known.access.scopes.has(spec.scope)) throw restricted(spec, known.access.scopes)
  const { account, access, accountRate } = known
  const own = { who: access.key, most: access.limits?.requests_per_second }
  const counted = accountRate === undefined ? [own] : [own, { who: account.id, most: accountRate }]
  return { ctx: { ...ctx, account, access, notes }, counted, notes }
}

async function asOperator(ctx: Context, spec: RouteSpec, named: string | null): Promise<Context | Caller> {
  if (spec.scope === 'operator' || spec.scope === 'inbound:write') return ctx
  const access = { key: 'operator', scopes: ALL_SCOPES }
  if (named !== null) return { ...ctx, account: await findAccount(ctx, named), access }
  if (spec.instance) return { ...ctx, account: instanceAccount, access }
  throw new Problem('invalid_request', 'The operator key acts for an account here: say which.', {
    fix: 'Add the header X-Account: <account id>, or use a key of the account.',
  })
}

function bearer(request: Request): string {
  const header = request.headers.get('authorization') ?? ''
  const token = /^bearer +(\S+)\s*$/i.exec(header)?.[1]
  if (token) return token
  throw new Problem('missing_api_key', 'Missing API key in the authorization header', {
    fix: 'Send Authorization: Bearer re_…',
  })
}

/** Compared as hashes, so that neither time nor length tells anything of the key. */
async function isOperator(ctx: Context, token: string): Promise<boolean> {
  const real = operatorHash.get(ctx.config) ?? sha256Hex(ctx.config.ADMIN_KEY)
  operatorHash.set(ctx.config, real)
  return sameBytes(utf8(await sha256Hex(token)), utf8(await real))
}

const operatorHash = new WeakMap<Context['config'], Promise<string>>()

function restricted(spec: RouteSpec, has: ReadonlySet<string>): Problem {
  const message =
    has.size === 1 && has.has('emails:send')
      ? 'This API key is restricted to only send emails'
      : `This API key lacks the scope ${spec.scope}`
  return new Problem('restricted_api_key', message, { fix: `Use a key with the scope ${spec.scope}.` })
}
