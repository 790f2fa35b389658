/** The SMTP server: as MX it takes mail for local addresses from anyone, as local relay mail for anybody from its client. */
import type { SMTPServerAddress, SMTPServerDataStream, SMTPServerOptions, SMTPServerSession } from 'smtp-server'
import type { Api } from '../api.ts'
import { mailLine, type Tell } from '../tell.ts'
import { Alone } from './alone.ts'
import { GatewayServer } from './connection.ts'
import { deliver, type Ways } from './deliver.ts'
import { type Asked, openRecipients, type Recipients, type Route } from './recipients.ts'
import { Refusal, tryAgain } from './refusal.ts'
import { MAX_MESSAGE_BYTES } from './scan.ts'
import { isRelayClient, senderOf, traceOf } from './session.ts'
import { spool } from './spool.ts'

export type SmtpSettings = {
  host: string
  port: number
  /** The name we greet with. */
  name: string
  api: Api
  /** The instance key, with `inbound:write`. */
  key: string
  /** A domain of ours, and who gets mail for a bare `postmaster`. */
  domain: string
  postmaster: string
  /** Who may relay. */
  relay: { user: string; password: string }
  /** Folders: mail that is coming in, and mail that was caught. */
  spool: string
  caught: string
  now: () => Date
  tell: Tell
}

export type Smtp = { port: number; close(): Promise<void> }

/** RFC 5321 section 4.5.3.1.8 wants at least a hundred to be taken. */
const MAX_RECIPIENTS = 100
/** A client that names so many unknown addresses is guessing. */
const MAX_UNKNOWN = 20
const MAX_WRONG_PASSWORDS = 3
/** Each holds a socket and may hold a mail on disk. */
const MAX_CLIENTS = 100
/** RFC 5321 section 4.5.3.2.7: a server waits five minutes for the next command. */
const IDLE_TIMEOUT = 5 * 60_000
/** No command of ours is longer; RFC 5321 section 4.5.3.1.4 asks for 512 and what the extensions add. */
const MAX_COMMAND_BYTES = 4096
/** What runs is given so long to end when the server closes. */
const CLOSE_TIMEOUT = 2000

/** Listens; the promise fails with the system's error where the port cannot be had. */
export async function startSmtp(settings: SmtpSettings): Promise<Smtp> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const server = new GatewayServer(optionsOf(settings, (session, text) => server.hangUp(session.id, text)))
  server.on('error', reject)
  const listener = server.listen({ port: settings.port, host: settings.host }, resolve)
  await promise
  // From here on errors are those of connections, which end by themselves.
  const address = listener.address()
  return {
    port: typeof address === 'object' && address ? address.port : settings.port,
    close: () => new Promise((closed) => server.close(() => closed())),
  }
}

type HangUp = (session: SMTPServerSession, text: string) => void

/** What is remembered of a connection besides the library's own session. */
type Memory = { wrongPasswords: number; unknown: number }

function optionsOf(settings: SmtpSettings, hangUp: HangUp): SMTPServerOptions {
  const memory = new WeakMap<SMTPServerSession, Memory>()
  const remember = (session: SMTPServerSession) => {
    const known = memory.get(session) ?? { wrongPasswords: 0, unknown: 0 }
    memory.set(session, known)
    return known
  }
  const routes = new WeakMap<SMTPServerAddress, Route>()
  const alone = new Alone()
  const recipients = openRecipients(settings.api, settings)
  const ways: Ways = { api: settings.api, key: settings.key, caught: settings.caught, alone, tell: settings.tell }
  return {
    name: settings.name,
    heloResponse: '%s at your service',
    size: MAX_MESSAGE_BYTES,
    // Nothing here leaves the machine, and a certificate that nobody can check protects from nobody.
    disabledCommands: ['STARTTLS', 'XCLIENT', 'XFORWARD', 'WIZ', 'SHELL', 'KILL'],
    authOptional: true,
    allowInsecureAuth: true,
    authMethods: ['PLAIN', 'LOGIN'],
    hideENHANCEDSTATUSCODES: false,
    disableReverseLookup: true,
    // Senders are taken as they are: real hosts send from `name.@host`, and the envelope sender is only written down.
    lenientAddressParsing: true,
    maxRecipients: MAX_RECIPIENTS,
    maxClients: MAX_CLIENTS,
    maxCommandLength: MAX_COMMAND_BYTES,
    socketTimeout: IDLE_TIMEOUT,
    closeTimeout: CLOSE_TIMEOUT,
    logger: false,

    onAuth(auth, session, callback) {
      if (isRelayClient(auth, settings.relay)) return callback(null, { user: settings.relay.user })
      const wrong = ++remember(session).wrongPasswords
      if (wrong >= MAX_WRONG_PASSWORDS) return callback(new Refusal(421, '4.7.0', 'too many wrong passwords'))
      callback(new Refusal(535, '5.7.8', 'wrong user name or password'))
    },

    onRcptTo(address, session, callback) {
      routeOf(address, session, recipients, alone, routes).then(
        (route) => {
          routes.set(address, route)
          callback()
        },
        (error) => {
          const refusal = asRefusal(error)
          if (refusal.responseCode === 550 && ++remember(session).unknown > MAX_UNKNOWN) {
            return callback(new Refusal(421, '4.7.0', 'too many unknown recipients'))
          }
          const note = `${refusal.responseCode} ${refusal.message}`
          settings.tell(
            mailLine(refusal.responseCode < 500 ? 'later' : 'refused', {
              from: senderOf(session),
              to: address.address,
              note,
            }),
          )
          callback(refusal)
        },
      )
    },

    onData(stream, session, callback) {
      const found = session.envelope.rcptTo.map((address) => routes.get(address)).filter((route) => route !== undefined)
      const endless = () => hangUp(session, '4.3.2 the mail does not end')
      takeMail(stream, session, found, settings, ways, endless).then(
        (text) => callback(null, text),
        (error) => callback(asRefusal(error)),
      )
    },
  }
}

async function takeMail(
  stream: SMTPServerDataStream,
  session: SMTPServerSession,
  recipients: Route[],
  settings: SmtpSettings,
  ways: Ways,
  onEndless: () => void,
): Promise<string> {
  const from = senderOf(session)
  const spooled = await spool(stream, settings.spool, onEndless)
  try {
    return await deliver({ from, recipients, spooled, trace: traceOf(session, settings.name, settings.now()) }, ways)
  } finally {
    await spooled.discard()
  }
}

async function routeOf(
  address: SMTPServerAddress,
  session: SMTPServerSession,
  recipients: Recipients,
  alone: Alone,
  routes: WeakMap<SMTPServerAddress, Route>,
): Promise<Route> {
  const route = await recipients.route(address.address, Boolean(session.user), askedBy(session))
  const others = session.envelope.rcptTo.flatMap((other) => routes.get(other)?.to ?? [])
  if (!alone.mustWait(senderOf(session), route.to, others)) return route
  throw new Refusal(452, '4.5.3', 'this recipient wants a transaction of its own, send it after this one')
}

function askedBy(session: SMTPServerSession): Asked {
  const { mailFrom } = session.envelope
  const given = mailFrom ? mailFrom.args : undefined
  const size = given ? Number(Reflect.get(given, 'SIZE')) : Number.NaN
  return { from: senderOf(session), ...(Number.isSafeInteger(size) && size >= 0 ? { size } : {}) }
}

/** What is no refusal is trouble of ours, whose text is nobody's business. */
function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : tryAgain('local trouble, try again')
}
