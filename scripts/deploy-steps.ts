/** The order of a deploy, over a `wrangler` that is passed in: what is missing is made, what is there is kept. */
import { randomBytes } from 'node:crypto'

/** Runs wrangler with these arguments; `secrets` are handed over in a file of their own, never on the command line. */
export type Wrangler = (args: string[], secrets?: Record<string, string>) => Promise<{ ok: boolean; output: string }>

export type Deployed = {
  url: string | undefined
  /** Secrets that were made now. The operator's key is shown this once. */
  made: Record<string, string>
}

/** Deploys. `databases` are the bindings of wrangler.toml; `given` is the environment's. Throws with wrangler's words where a step fails. */
export async function deploy(
  wrangler: Wrangler,
  databases: readonly string[],
  given: { RELAY_URL?: string; PUBLIC_URL?: string },
): Promise<Deployed> {
  const listed = await wrangler(['secret', 'list', '--format', 'json'])
  const exists = listed.ok
  const present = new Set(exists ? secretNames(listed.output) : [])
  if (!exists && !/not found|does not exist|10007/i.test(listed.output)) throw new Error(listed.output)

  const made: Record<string, string> = {}
  if (!present.has('ADMIN_KEY')) made.ADMIN_KEY = `re_operator_${randomBytes(32).toString('base64url')}`
  if (!present.has('SECRET')) made.SECRET = randomBytes(48).toString('base64url')
  const secrets = { ...made, ...(given.RELAY_URL ? { RELAY_URL: given.RELAY_URL } : {}) }

  // A database that is there gets its tables before the code that needs them; a new one is made by the deploy.
  const ready = exists ? await migrateWhatIsThere(wrangler, databases) : []
  const first = await must(wrangler, deployArguments(given.PUBLIC_URL), secrets)
  for (const database of databases.filter((name) => !ready.includes(name))) await must(wrangler, migrate(database))

  const url = given.PUBLIC_URL ?? /https:\/\/[\w.-]+\.workers\.dev/.exec(first)?.[0]
  // Signed links begin with the address that only the first deploy tells.
  if (!exists && url && !given.PUBLIC_URL) await must(wrangler, deployArguments(url))
  return { url, made }
}

/** Answers which databases are there, and up to date now: an older deploy may not have had all of them. */
async function migrateWhatIsThere(wrangler: Wrangler, databases: readonly string[]): Promise<string[]> {
  const ready: string[] = []
  for (const database of databases) {
    const { ok, output } = await wrangler(migrate(database))
    if (ok) ready.push(database)
    else if (!/could ?n.t find|not found|does not exist|doesn't exist/i.test(output)) {
      throw new Error(`wrangler d1 migrations apply ${database} failed:\n${output}`)
    }
  }
  return ready
}

function migrate(database: string): string[] {
  return ['d1', 'migrations', 'apply', database, '--remote']
}

function deployArguments(publicUrl: string | undefined): string[] {
  return ['deploy', '--minify', ...(publicUrl ? ['--var', `PUBLIC_URL:${publicUrl}`] : [])]
}

async function must(wrangler: Wrangler, args: string[], secrets: Record<string, string> = {}): Promise<string> {
  const { ok, output } = await (Object.keys(secrets).length > 0 ? wrangler(args, secrets) : wrangler(args))
  if (!ok) throw new Error(`wrangler ${args.slice(0, 3).join(' ')} failed:\n${output}`)
  return output
}

function secretNames(output: string): string[] {
  const list: unknown = JSON.parse(output.slice(output.indexOf('[')))
  return Array.isArray(list) ? list.map((entry) => String(entry?.name)) : []
}
