/** What `npm start` prints when all is up: where things are, and what to try. */
import { relative } from 'node:path'
import type { Provisions } from './first-run.ts'
import type { Home } from './home.ts'

export type Places = { api: string; smtp: string; home: Home; relayed: boolean }

/** Commands to copy stand on lines of their own. */
export function greeting({ api, smtp, home, relayed }: Places, { address, apiKey }: Provisions): string {
  const folder = relative('', home.folder) || '.'
  const key = `-H 'Authorization: Bearer ${apiKey}'`
  const email = JSON.stringify({ from: address, to: address, subject: 'Hello', text: 'It works.' })
  const raw = String.raw`From: you@example.com\r\nTo: ${address}\r\nSubject: Hi\r\n\r\nHello by SMTP.\r\n`
  return `
Pochta is up, on this machine alone.

  API       ${api}        (to read and try: ${api}/docs)
  SMTP      ${smtp}        (takes mail for local addresses)
  outbound  ${relayed ? 'goes to RELAY_URL, for real' : `is caught in ${folder}/caught, nothing leaves this machine`}
  files     ${folder}/        (keys and addresses for programs: ${folder}/local.json)

Send a mail from ${address} to itself:

curl ${api}/emails ${key} -H 'Content-Type: application/json' -d '${email}'

See what arrived:

curl ${api}/emails/receiving ${key}

Send one as the world does, by SMTP:

printf '${raw}' | curl --url ${smtp} --mail-from you@example.com --mail-rcpt ${address} --upload-file -

Ctrl-C ends it; what was stored is there at the next start.
`
}
