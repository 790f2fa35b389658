/** What somebody sees who follows a link to leave a list: a question, or that it is done. Nothing on it runs or comes from elsewhere. */

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

function page(title: string, body: string): Response {
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<h1>${title}</h1>
${body}
</html>
`
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      // The address of the page is the link itself.
      'referrer-policy': 'no-referrer',
      'x-robots-tag': 'noindex',
    },
  })
}

function asText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
