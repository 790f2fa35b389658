/**
 * Completes each package-lock.json, or with --check fails where one is not complete. `npm install` leaves out the binaries of
 * platforms that the registry at hand does not carry, and `npm ci` then refuses the whole file; an entry that says for
 * which platform a binary is costs the others nothing, and serves its own where the registry has it.
 */
import { readFileSync, writeFileSync } from 'node:fs'

type Entry = {
  version?: string
  resolved?: string
  optionalDependencies?: Record<string, string>
  optional?: boolean
  os?: string[]
  cpu?: string[]
  dev?: boolean
}

type Lock = { packages: Record<string, Entry> }

/** Ours, and that of the clients which the tests run. */
const FILES = ['package-lock.json', 'test/clients/pinned/package-lock.json']

/** What platform packages call a system, and what Node calls it. */
const SYSTEMS = { windows: 'win32' } as Record<string, string>
const PROCESSORS = { '64': 'x64' } as Record<string, string>

for (const file of FILES) {
  const lock: Lock = JSON.parse(readFileSync(file, 'utf8'))
  const missing = findMissing(lock)
  if (process.argv.includes('--check')) check(file, lock, missing)
  else complete(file, lock, missing)
}

function check(file: string, { packages }: Lock, missing: [path: string, entry: Entry][]): void {
  const tied = Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)
  if (missing.length > 0) {
    console.error(`${file} lacks ${missing.map(([path]) => path).join(', ')}. Run: node scripts/lock.ts`)
    process.exitCode = 1
  } else if (tied.length > 0) {
    console.error(`${file} is tied to a registry by ${tied.map(([path]) => path).join(', ')}: take "resolved" out.`)
    process.exitCode = 1
  } else {
    console.log(`${file}: complete`)
  }
}

function complete(file: string, lock: Lock, missing: [path: string, entry: Entry][]): void {
  const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(missing) })
  packages.sort(([a], [b]) => (a < b ? -1 : 1))
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`)
  console.log(`${file}: ${missing.length} entries added`)
}

function findMissing({ packages }: Lock): [path: string, entry: Entry][] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {}, dev }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !isThere(packages, path, name))
      .map(([name, version]): [string, Entry] => {
        const entry = { version, ...platformOf(name), ...(dev ? { dev } : {}), optional: true }
        return [`node_modules/${name}`, entry]
      }),
  )
}

/** Beside the package, or at the top: where npm puts what only one version of is wanted. */
function isThere(packages: Lock['packages'], path: string, name: string): boolean {
  return `${path}/node_modules/${name}` in packages || `node_modules/${name}` in packages
}

/** The name ends in system, processor and perhaps more: `@esbuild/linux-x64`, `workerd-darwin-64`. */
function platformOf(name: string): Pick<Entry, 'os' | 'cpu'> {
  const words = name.split(/[/-]/)
  const at = words.findLastIndex((word) =>
    /^(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|wasm32|win32|windows)$/.test(word),
  )
  const system = words[at]
  const processor = words[at + 1]
  if (system === undefined || processor === undefined) throw new Error(`${name} does not say its platform`)
  return { os: [SYSTEMS[system] ?? system], cpu: [PROCESSORS[processor] ?? processor] }
}
