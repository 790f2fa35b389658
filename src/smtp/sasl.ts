/** AUTH PLAIN (RFC 4616) and AUTH LOGIN, within RFC 4954. What is secret here never leaves but to the server. */
import { fromBase64, latin1 } from '../base/bytes.ts'
import { base64 } from './commands.ts'
import type { Dialogue } from './dialogue.ts'
import { SessionError } from './errors.ts'
import { isPositive, type Reply, type ReplyLines, showReply, toReply } from './reply.ts'

export type Credentials = { user: string; password: string }

/** Why the credentials cannot be said: PLAIN separates by NUL. */
export function credentialsFault({ user, password }: Credentials): string | undefined {
  if (user === '' || password === '') return 'the user name or the password is empty'
  if (/\0/.test(user + password)) return 'the user name or the password holds a NUL'
  return undefined
}

/** Logs in by PLAIN, else by LOGIN. Throws SessionError where neither is offered or the server refuses; Broken where it breaks. */
export async function authenticate(
  dialogue: Dialogue,
  offered: readonly string[],
  credentials: Credentials,
): Promise<void> {
  const mechanisms = (['PLAIN', 'LOGIN'] as const).filter((name) => offered.includes(name))
  if (mechanisms.length === 0) {
    const what = offered.length === 0 ? 'no AUTH' : `only AUTH ${offered.join(' ')}`.slice(0, 200)
    throw new SessionError('permanent', 'auth', `the server offers ${what}; this client speaks PLAIN and LOGIN`)
  }
  let refusal: Reply | undefined
  for (const mechanism of mechanisms) {
    const reply = mechanism === 'PLAIN' ? await plain(dialogue, credentials) : await login(dialogue, credentials)
    if (isPositive(reply)) return
    refusal = withoutSecrets(toReply(reply), credentials)
    // Only a mechanism that is not there after all (RFC 4954 section 4) is a reason to try the next one.
    if (reply.code !== 504) break
  }
  const kind = refusal !== undefined && refusal.code >= 500 ? 'permanent' : 'temporary'
  throw new SessionError(kind, 'auth', `the server refused the login: ${refusal ? showReply(refusal) : ''}`, refusal)
}

async function plain(dialogue: Dialogue, { user, password }: Credentials): Promise<ReplyLines> {
  const response = base64(`\0${user}\0${password}`)
  const reply = await dialogue.ask(`AUTH PLAIN ${response}`, 'AUTH')
  // Some servers overlook the initial response and ask for it.
  return reply.code === 334 && prompt(reply) === ''
    ? cancelled(dialogue, await dialogue.ask(response, 'AUTH'))
    : cancelled(dialogue, reply)
}

async function login(dialogue: Dialogue, { user, password }: Credentials): Promise<ReplyLines> {
  const first = await dialogue.ask('AUTH LOGIN', 'AUTH')
  // A server that asks for the password first would be given it as a user name, which goes into logs.
  if (first.code !== 334 || /^pass/i.test(prompt(first))) return cancelled(dialogue, first)
  const second = await dialogue.ask(base64(user), 'AUTH')
  if (second.code !== 334) return second
  return cancelled(dialogue, await dialogue.ask(base64(password), 'AUTH'))
}

/** Ends an exchange that asks for more than there is to say (RFC 4954 section 4); any other reply is the result. */
async function cancelled(dialogue: Dialogue, reply: ReplyLines): Promise<ReplyLines> {
  if (reply.code !== 334) return reply
  const end = await dialogue.ask('*', 'the cancelling of AUTH')
  return isPositive(end) || end.code === 334
    ? { code: 501, lines: ['the server asked for what this login does not have'] }
    : end
}

function prompt({ lines }: ReplyLines): string {
  const text = (lines[0] ?? '').trim()
  try {
    return latin1(fromBase64(text))
  } catch {
    return text
  }
}

/** Some servers repeat the command they refuse, and replies are kept and shown. */
function withoutSecrets(reply: Reply, { user, password }: Credentials): Reply {
  const secrets = [base64(`\0${user}\0${password}`), base64(password), password]
  return { ...reply, text: secrets.reduce((text, secret) => text.replaceAll(secret, '***'), reply.text) }
}
