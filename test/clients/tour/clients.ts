/** Resend's own client as it was published, in the versions that are pinned, each as it finds itself in a program. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A client of whatever version; what it has is for its declarations to say. */
export type Client = Record<string, unknown>

/** Where the pinned packages are. */
export const PINNED = join(import.meta.dirname, '../pinned/node_modules')

/** The packages under the names that the lock gives them, the oldest first. */
export const PACKAGES = ['resend-4', 'resend-5', 'resend-6'] as const

export function versionOf(name: string): string {
  const file = join(PINNED, name, 'package.json')
  if (!existsSync(file)) throw new Error(`${name} is not installed. Run: npm ci --prefix test/clients/pinned`)
  return JSON.parse(readFileSync(file, 'utf8')).version
}

// Before any test: what is not there is told of as what it is.
for (const name of [...PACKAGES, 'resend-cli']) versionOf(name)

/** The class of a version. Old ones know their base URL by the environment alone, and read it when they are loaded. */
export async function loadClient(name: string, baseUrl: string): Promise<new (key: string) => Client> {
  const before = process.env.RESEND_BASE_URL
  process.env.RESEND_BASE_URL = baseUrl
  try {
    const entry = pathToFileURL(join(PINNED, name, 'dist/index.mjs'))
    // What was loaded for another base URL must not be met again.
    entry.search = `?${encodeURIComponent(baseUrl)}`
    const { Resend } = await import(/* @vite-ignore */ entry.href)
    // The newest reads it when it is made.
    return class extends Resend {
      constructor(key: string) {
        process.env.RESEND_BASE_URL = baseUrl
        super(key)
        delete process.env.RESEND_BASE_URL
      }
    }
  } finally {
    if (before === undefined) delete process.env.RESEND_BASE_URL
    else process.env.RESEND_BASE_URL = before
  }
}

/** Calls a method by its path, as `emails.receiving.get`. */
export async function callMethod(client: Client, method: string, args: readonly unknown[]): Promise<Answered> {
  const steps = method.split('.')
  const last = steps.pop() ?? ''
  const owner = steps.reduce((at, step) => at[step] as Client, client)
  return asMethod(owner[last]).apply(owner, [...args])
}

export type Answered = { data: unknown; error: { name: string; message: string; statusCode?: number } | null }

/** The declarations say that it is one: the path comes from them. */
function asMethod(value: unknown): (...args: unknown[]) => Promise<Answered> {
  return value as (...args: unknown[]) => Promise<Answered>
}
