/** The page at /docs: nothing in it comes from elsewhere, and its policy lets nothing but its own script run. */
import { SCRIPT } from './script.ts'

/** The page; `nonce` is new for each answer. */
export function docsPage(nonce: string): Response {
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  return new Response(html(nonce), {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'referrer-policy': 'no-referrer',
    },
  })
}

function html(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pochta API</title>
<style nonce="${nonce}">${STYLE}</style>
<header>
  <h1>Pochta API</h1>
  <p id="about"></p>
  <label>API key <input id="key" type="password" autocomplete="off" spellcheck="false" placeholder="re_…"></label>
  <label>X-Account <input id="account" autocomplete="off" spellcheck="false" placeholder="with the operator’s key"></label>
  <p>The key stays in this page and goes nowhere but to this API. <a href="/openapi.json">openapi.json</a></p>
</header>
<main id="routes">Loading…</main>
<script nonce="${nonce}">${SCRIPT}</script>
</html>
`
}

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 0 auto; padding: 1rem }
h2 { margin: 2rem 0 .5rem }
label { display: inline-block; margin: 0 1rem .5rem 0 }
.fields label { display: block }
input, textarea { font: 14px/1.4 ui-monospace, monospace; padding: .3rem; box-sizing: border-box }
textarea { width: 100%; min-height: 9rem }
details { border: 1px solid #8885; border-radius: .4rem; margin: .4rem 0; padding: .4rem .7rem }
summary { cursor: pointer }
code, pre { font: 14px/1.4 ui-monospace, monospace }
pre { overflow: auto; max-height: 30rem; background: #8882; padding: .6rem; border-radius: .4rem }
.method { display: inline-block; width: 4.5rem; font-weight: 700 }
.said { color: #777 }
`
