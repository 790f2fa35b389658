/** What somebody sees who follows a link to leave a list: a question, or that it is done. */
import { asText, page } from '../page.ts'

type Leaving = { readonly list: string; readonly email: string }

/** Asks, by a button that posts what mailbox providers post (RFC 8058 section 3.1). */
export function askPage({ list, email }: Leaving): Response {
  return page(
    'Unsubscribe?',
    `<p>${asText(email)} will get no more mail of ${named(list)}.</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Unsubscribe</button></form>`,
  )
}

export function donePage({ list, email }: Leaving): Response {
  return page('Unsubscribed', `<p>${asText(email)} will get no more mail of ${named(list)}.</p>`)
}

function named(list: string): string {
  return list === '' ? 'this list' : `the list “${asText(list)}”`
}
