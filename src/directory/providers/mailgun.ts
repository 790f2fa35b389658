/** Mailgun: a route's forward to a URL that ends in `mime`, with the raw mail in a form, signed by the key of the account there. */
import { toHex, utf8 } from '../../base/bytes.ts'
import { readForm, textOf } from '../../base/form.ts'
import { Problem } from '../../base/problem.ts'
import { sameBytes, sha256Hex } from '../../base/seal.ts'
import type { Context } from '../../context.ts'
import { claimOnce } from '../../store/idempotency.ts'
import { INSTANCE, mailOf } from '../../store/stores.ts'
import { findAccountByNumber } from '../accounts.ts'
import type { Adapter, Provider } from './adapter.ts'
import { unproven } from './secret.ts'

/** It tries for eight hours; each try is taken to be signed when the first was. Claims are kept for a day. */
const FRESH_MS = 12 * 3_600_000

/** Clocks differ. */
const AHEAD_MS = 5 * 60_000

/** Urlencoded, an octet may take three; of real mail few do. */
const SPREAD = 2

const REST = 1024 * 1024

export const mailgun: Adapter = {
  setup:
    'Create a route with the action forward("<inbound URL>"): its end, mime, has the raw mail sent. `signing_key` is the HTTP webhook signing key of the account there.',
  begin: (_ctx, { signing_key }) => ({ secrets: { signing_key: signing_key ?? '' }, shown: null }),
  inbound: {
    path: 'inbound/mime',
    // https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http: 406 alone ends the tries.
    refused: 406,
    async read(ctx, provider, { headers, bytes }) {
      const body = await bytes(ctx.config.MAX_MESSAGE_BYTES * SPREAD + REST)
      const form = readForm(headers.get('content-type') ?? '', body)
      if (!form) throw new Problem('invalid_request', 'The body is no form, or not the whole of it.')
      const [timestamp, token, signature] = [
        textOf(form, 'timestamp'),
        textOf(form, 'token'),
        textOf(form, 'signature'),
      ]
      await checkSignature(ctx, provider, { timestamp, token, signature })
      const raw = form.get('body-mime')
      if (!raw || raw.length === 0) {
        throw new Problem('invalid_request', 'The call has no raw mail.', {
          fix: 'Let the route forward to the URL of this provider as it is shown: it ends in mime.',
        })
      }
      const [from, to] = [textOf(form, 'sender'), textOf(form, 'recipient')]
      if (to === '') throw new Problem('invalid_request', 'The call names no recipient.')
      await claimToken(ctx, provider, token, `${from}\n${to}\n${await sha256Hex(Uint8Array.from(raw))}`)
      return { from: from.replace(/^<|>$/g, ''), to: [to], raw: [raw] }
    },
  },
}

async function checkSignature(
  ctx: Context,
  { secrets }: Provider,
  { timestamp, token, signature }: { timestamp: string; token: string; signature: string },
): Promise<void> {
  if (!secrets.signing_key || token === '' || token.length > 200 || !/^\d{1,12}$/.test(timestamp)) {
    throw unproven('it is not signed')
  }
  const kind = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', utf8(secrets.signing_key), kind, false, ['sign'])
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', key, utf8(`${timestamp}${token}`)))
  if (!sameBytes(utf8(toHex(mac)), utf8(signature.toLowerCase()))) throw unproven('its signature does not hold')
  const at = Number(timestamp) * 1000
  if (at < ctx.now() - FRESH_MS || at > ctx.now() + AHEAD_MS)
    throw unproven('its signature is too old, or from the future')
}

/**
 * The signature says nothing of the mail: whoever saw one could sign any other with it. So a token is good for one mail,
 * however often that one comes. @throws Problem missing_api_key.
 */
async function claimToken(ctx: Context, { account, id }: Provider, token: string, content: string): Promise<void> {
  const owner = account === INSTANCE.number ? INSTANCE : await findAccountByNumber(ctx, account)
  if (!owner) throw new Problem('not_found', 'Provider not found')
  const once = { key: await sha256Hex(`providers/${id} ${token}`), body: await sha256Hex(content) }
  if (!(await claimOnce(mailOf(ctx.stores, owner), account, once, ctx.now()))) {
    throw unproven('its token was used for another mail')
  }
}
