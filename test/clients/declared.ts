/** Are real answers what a client's own type declarations say? The compiler is asked, so nothing is written down a second time. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** An answer, or the error of a refusal, and the client's method that gave it, as `emails.receiving.get`. */
export type Claim = { method: string; answer: unknown; of?: 'data' | 'error' }

const ROOT = join(import.meta.dirname, '../..')

/** Says of each claim why the declarations do not allow it; undefined of one that they do. `client` is the folder of the client's package. */
export async function judge(claims: readonly Claim[], client: string): Promise<(string | undefined)[]> {
  const found = await complaintsAbout(claims.map(lineOf), client)
  return claims.map((_, at) => found.get(at))
}

/** Every method that the declarations have below a resource, by its path; in the order of the alphabet. */
export async function methodsOf(client: string): Promise<string[]> {
  const found = await complaintsAbout(['const none: never = given<{ [P in Paths<Resend>]: 0 }>(); none'], client)
  // The compiler names what it got, each path in quotes, before it says what it wanted.
  const [named = ''] = (found.get(0) ?? '').split(/ is not assignable/)
  const paths = [...named.matchAll(/"([^"]+)"/g)].map(([, path = '']) => path)
  if (paths.length === 0) throw new Error(`the declarations have no methods: ${found.get(0)}`)
  return paths.sort()
}

/** What is wrong with each line, by its place. */
async function complaintsAbout(lines: readonly string[], client: string): Promise<Map<number, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'pochta-declared-'))
  try {
    writeFileSync(join(folder, 'claims.ts'), [...OPENING, ...lines].join('\n'))
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(CONFIG))
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    symlinkSync(client, join(folder, 'client'))
    const found = complaints(await compile(folder))
    const before = [...found.keys()].find((line) => line <= OPENING.length)
    if (before !== undefined) throw new Error(`the declarations cannot be read: ${found.get(before)}`)
    return new Map([...found].map(([line, text]) => [line - OPENING.length - 1, text]))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const OPENING = [
  `import type { Resend } from './client'`,
  'type Answer<F extends (...args: never[]) => PromiseLike<{ data: unknown }>> = NonNullable<Awaited<ReturnType<F>>["data"]>',
  'type Refusal<F extends (...args: never[]) => PromiseLike<{ error: unknown }>> = NonNullable<Awaited<ReturnType<F>>["error"]>',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is a type that the compiler reads.
  'type Joined<A extends string, B extends string> = `${A}.${B}`',
  'type Step<T, K extends string> = T extends (...args: never[]) => PromiseLike<unknown> ? K : T extends (...args: never[]) => unknown ? never : T extends object ? { [S in keyof T & string]: Step<T[S], Joined<K, S>> }[keyof T & string] : never',
  'type Paths<T> = { [K in keyof T & string]: T[K] extends (...args: never[]) => unknown ? never : Step<T[K], K> }[keyof T & string]',
  'declare function claim<Declared>(answer: Declared): void',
  'declare function given<Real>(): Real',
]

/** JSON is a type as well: of literals and tuples, which fit wherever the value does and are not judged for having more. */
function lineOf({ method, answer, of = 'data' }: Claim): string {
  const path = method
    .split('.')
    .map((step) => `["${step}"]`)
    .join('')
  return `claim<${of === 'data' ? 'Answer' : 'Refusal'}<Resend${path}>>(given<${JSON.stringify(answer) ?? 'undefined'}>())`
}

const CONFIG = {
  compilerOptions: {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    noErrorTruncation: true,
    skipLibCheck: true,
    target: 'ES2024',
    module: 'NodeNext',
    types: ['node'],
  },
  files: ['claims.ts'],
}

/** What the compiler says; it ends with an error where there is anything to say. */
function compile(folder: string): Promise<string> {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  return new Promise((resolve) => {
    const options = { cwd: folder, maxBuffer: 64 * 1024 * 1024, timeout: 120_000 }
    execFile(process.execPath, [tsc, '--pretty', 'false', '-p', 'tsconfig.json'], options, (_, out, err) =>
      resolve(out + err),
    )
  })
}

function complaints(output: string): Map<number, string> {
  const found = new Map<number, string>()
  let last: number | undefined
  for (const line of output.split('\n')) {
    // What is indented gives the reason of what it stands under, and the deepest is the nearest to the fault.
    if (last !== undefined && /^\s+\S/.test(line)) found.set(last, `${found.get(last)}\n${line.trim()}`)
    else last = undefined
    const [, at, text = ''] = /^claims\.ts\((\d+),\d+\): error (.*)$/.exec(line) ?? []
    if (at !== undefined) {
      last = Number(at)
      found.set(last, text)
    } else if (/^error /.test(line) || /: error TS/.test(line)) throw new Error(`the compiler could not judge: ${line}`)
  }
  return found
}
