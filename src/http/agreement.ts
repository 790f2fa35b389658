/** What somebody sees who is asked whether mail may be forwarded to him, and what the button there posts. */
import { Problem } from '../base/problem.ts'
import { asText, page } from './page.ts'
import { readBytes } from './raw-body.ts'

type Agreeing = { readonly email: string; readonly from: string }

/** The one pair fits many times over. */
const MAX_BYTES = 1024

export function agreePage({ email, from }: Agreeing): Response {
  return page(
    'Forward mail to you?',
    `<p>${asText(from)} asks to forward mail to ${asText(email)}: its own, and that of other addresses of the same account.</p>
<form method="post"><input type="hidden" name="agree" value="yes"><button>Agree</button></form>
<p>Who does not agree need not do anything.</p>`,
  )
}

export function agreedPage({ email, from }: Agreeing): Response {
  return page('Agreed', `<p>From now on ${asText(from)} may forward mail to ${asText(email)}.</p>`)
}

/** Refuses what does not say so: a request that strays here must not agree for anybody. @throws Problem. */
export async function readAgreement(request: Request): Promise<void> {
  const text = new TextDecoder().decode(await readBytes(request, MAX_BYTES))
  if (new URLSearchParams(text).get('agree') === 'yes') return
  const reason = 'must be yes'
  throw new Problem('validation_error', `Invalid \`agree\`: ${reason}`, {
    fields: [{ path: 'agree', reason }],
    fix: 'Post agree=yes as application/x-www-form-urlencoded.',
  })
}
