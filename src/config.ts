/** Every setting: what it means and what it is by default. Read once, when the Worker first serves; passed on in the context. */
import * as z from 'zod'

const MIB = 1024 * 1024

const list = z
  .string()
  .default('')
  .transform((text) => text.split(/[\s,]+/).filter(Boolean))

const Settings = z.object({
  /** Runs on a laptop: plain http and loopback targets are allowed, domains are verified at once (but see DOH_URL), only loopback host names are answered. Given by `npm start` alone. */
  LOCAL: z.enum(['true', 'false']).default('false'),
  /** The operator's key: makes accounts and instance keys, and acts for any account. Secret. */
  ADMIN_KEY: z.string().min(32),
  /** What all keys at rest and all proofs are derived from. Secret; losing it loses every sealed password and DKIM key. */
  SECRET: z.string().min(32),
  /** The secret before this one: still opens and verifies, so that SECRET can be changed without an outage. */
  SECRET_PREVIOUS: z.string().min(32).optional(),
  /** Where the API is reached from outside, without a slash at the end: signed links begin with it. */
  PUBLIC_URL: z.url().default('http://127.0.0.1:8787'),
  /** The relay for mail whose account and domain name none: smtp://user:password@host:port or smtps://…, with ?verp=false where it does not take our return paths and ?tls=none|starttls. Secret. */
  RELAY_URL: z.string().default(''),
  /** The name we greet other mail servers with (RFC 5321 section 4.1.1.1): the host of PUBLIC_URL where none is given. Given, it is also where domains are to send their mail (MX); else that is Cloudflare's own door. */
  MAIL_HOST: z.hostname().optional(),
  /** The label before a sender's domain to which bounces come back: b-…@send.example.com. */
  RETURN_PATH_LABEL: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/)
    .default('send'),
  /** Whom names are asked of, before a tenant's URL or relay is called and to verify domains: DNS over HTTPS that answers JSON. A local copy that is given one verifies domains by it, and takes http:// to loopback, too. */
  DOH_URL: z.url({ protocol: /^https?$/ }).default('https://cloudflare-dns.com/dns-query'),
  /** Whose Authentication-Results are believed on mail that came through Cloudflare's email(): authserv-ids, separated by commas. */
  EMAIL_AUTHSERV_IDS: list,
  /** The same for mail that came by POST /inbound. */
  INBOUND_AUTHSERV_IDS: list,
  /** The host names by which those doors write their own Received lines. */
  DOOR_HOSTS: list,
  /** The largest mail taken or sent, in octets. 25 MiB is what Cloudflare's own door takes. */
  MAX_MESSAGE_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(25 * MIB),
  /** How many decoded octets of attachments one JSON request may carry. More goes by raw mail. */
  MAX_ATTACHMENT_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(10 * MIB),
  /** How long a delivery is retried before it is given up, in hours. */
  GIVE_UP_HOURS: z.coerce.number().positive().default(48),
  /** How many requests a second one key may make in one isolate: a hint to slow down, no accounting. */
  REQUESTS_PER_SECOND: z.coerce.number().int().positive().default(1000),
})

/** The settings as the parts use them; `local` is the one that changes rules. */
export type Config = Readonly<
  Omit<z.output<typeof Settings>, 'LOCAL' | 'MAIL_HOST'> & {
    local: boolean
    MAIL_HOST: string
    /** What the MX records of domains are to name. */
    mxHost: string
    /** Whether domains are verified by what their DNS says; else they are at once. */
    checksDomains: boolean
  }
>

/** Reads the settings out of the Worker's variables; throws with every name at fault, and never with a value. */
export function readConfig(variables: Record<string, unknown>): Config {
  const read = Settings.safeParse(variables)
  if (!read.success) {
    const faults = read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new Error(`The settings are not usable. ${faults.join('; ')}`)
  }
  const { LOCAL, ...rest } = read.data
  const local = LOCAL === 'true'
  if (!isPrivate(new URL(rest.DOH_URL), local)) {
    throw new Error(
      'The settings are not usable. DOH_URL: must begin with https://, or in a local copy lead to loopback',
    )
  }
  return { ...rest, ...hostsOf(rest, local), local, checksDomains: !local || Boolean(variables.DOH_URL) }
}

/** The first of the hosts by which Cloudflare's Email Routing takes mail; it tells of the others where it is set up. */
const CLOUDFLARE_MX = 'route1.mx.cloudflare.net'

type Hosts = Pick<z.output<typeof Settings>, 'MAIL_HOST' | 'PUBLIC_URL'>

function hostsOf({ MAIL_HOST, PUBLIC_URL }: Hosts, local: boolean): Pick<Config, 'MAIL_HOST' | 'mxHost'> {
  const given = MAIL_HOST ?? (local ? 'pochta.localhost' : undefined)
  return { MAIL_HOST: given ?? new URL(PUBLIC_URL).hostname, mxHost: given ?? CLOUDFLARE_MX }
}

/** Who could change an answer on its way could take over domains. */
function isPrivate(resolver: URL, local: boolean): boolean {
  const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(resolver.hostname)
  return resolver.protocol === 'https:' || (local && loopback)
}
