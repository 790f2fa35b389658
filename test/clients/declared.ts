/** Are real answers what a client's own type declarations say? The compiler is asked, so nothing is written down a second time. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** An answer, and the client's method that gave it, as `emails.receiving.get`. */
export type Claim = { method: string; answer: unknown }

const ROOT = join(import.meta.dirname, '../..')

/** Says of each claim why the declarations do not allow it; undefined of one that they do. `client` is the folder of the client's package. */
export async function judge(claims: readonly Claim[], client: string): Promise<(string | undefined)[]> {
  const folder = mkdtempSync(join(tmpdir(), 'pochta-declared-'))
  try {
    writeFileSync(join(folder, 'claims.ts'), [...OPENING, ...claims.map(lineOf)].join('\n'))
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(CONFIG))
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    symlinkSync(client, join(folder, 'client'))
    const found = complaints(await compile(folder))
    const before = [...found.keys()].find((line) => line <= OPENING.length)
    if (before !== undefined) throw new Error(`the declarations cannot be read: ${found.get(before)}`)
    return claims.map((_, at) => found.get(at + OPENING.length + 1))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const OPENING = [
  `import type { Resend } from './client'`,
  'type Answer<F extends (...args: never[]) => PromiseLike<{ data: unknown }>> = NonNullable<Awaited<ReturnType<F>>["data"]>',
  'declare function claim<Declared>(answer: Declared): void',
  'declare function given<Real>(): Real',
]

/** JSON is a type as well: of literals and tuples, which fit wherever the value does and are not judged for having more. */
function lineOf({ method, answer }: Claim): string {
  const path = method
    .split('.')
    .map((step) => `["${step}"]`)
    .join('')
  return `claim<Answer<Resend${path}>>(given<${JSON.stringify(answer) ?? 'undefined'}>())`
}

const CONFIG = {
  compilerOptions: {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
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
  for (const line of output.split('\n')) {
    const [, at, text = ''] = /^claims\.ts\((\d+),\d+\): error (.*)$/.exec(line) ?? []
    if (at !== undefined) found.set(Number(at), text)
    else if (/^error /.test(line) || /: error TS/.test(line)) throw new Error(`the compiler could not judge: ${line}`)
  }
  return found
}
