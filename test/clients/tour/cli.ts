/** Resend's command line as it was published, each command a process of its own. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { PINNED } from './clients.ts'

/** What a command left behind: its exit code and what it wrote. */
export type Run = { code: number; out: string; err: string }

export type Cli = {
  run(...words: string[]): Promise<Run>
  /** The same, of which a JSON document on the standard output is expected. */
  read(...words: string[]): Promise<unknown>
}

const ENTRY = join(PINNED, 'resend-cli/dist/cli.cjs')

/** `home` is where it may keep what it likes; nothing of it is sent anywhere but to `url`. */
export function makeCli({ url, key, home }: { url: string; key: string; home: string }): Cli {
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    RESEND_BASE_URL: url,
    RESEND_API_KEY: key,
    RESEND_CREDENTIAL_STORE: 'file',
    RESEND_TELEMETRY_DISABLED: '1',
    RESEND_NO_UPDATE_NOTIFIER: '1',
  }
  const run = (...words: string[]) =>
    new Promise<Run>((resolve) => {
      const child = execFile(process.execPath, [ENTRY, ...words], { env, cwd: home, timeout: 60_000 }, (_, out, err) =>
        resolve({ code: child.exitCode ?? -1, out, err }),
      )
      child.stdin?.end()
    })
  return {
    run,
    async read(...words) {
      const { code, out, err } = await run(...words)
      if (code !== 0) throw new Error(`resend ${words.join(' ')} ended with ${code}: ${err}${out}`)
      return JSON.parse(out)
    },
  }
}

type Command = { name: string; subcommands: Command[] }

/** Every command that does something, by its words, as the program itself lists them. */
export async function commandsOf(cli: Cli): Promise<string[]> {
  const leaves = ({ name, subcommands }: Command): string[] =>
    subcommands.length === 0 ? [name] : subcommands.flatMap(leaves).map((rest) => `${name} ${rest}`)
  const { subcommands } = asCommand(await cli.read('commands'))
  return subcommands.flatMap(leaves)
}

/** The form in which `resend commands` tells it. */
function asCommand(value: unknown): Command {
  return value as Command
}
