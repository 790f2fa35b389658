/** Who may import whom, and what no file may do: the map of the folders, enforced. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

const STAGES = ['submission', 'reception', 'feedback', 'mailbox', 'webhook', 'relay']

/** What a part may import, itself aside: other parts, and packages. A part is the first folder below src, or a file beside them. */
type Layer = { parts: string[]; packages?: string[] }

const STAGE = ['base', 'contract', 'mail', 'store', 'context', 'record', 'directory']

const LAYERS: Record<string, Layer> = {
  base: { parts: [] },
  config: { parts: [], packages: ['zod'] },
  contract: { parts: ['base'], packages: ['zod'] },
  // node:buffer is what nodemailer's own functions speak; node:crypto hashes a stream, which WebCrypto cannot.
  mail: {
    parts: ['base'],
    packages: ['postal-mime', 'nodemailer', 'ical.js', 'sanitize-html', 'node:buffer', 'node:crypto'],
  },
  smtp: { parts: ['base'] },
  store: { parts: ['base', 'mail'], packages: ['drizzle-orm'] },
  context: { parts: ['base', 'config', 'store'] },
  record: { parts: ['base', 'contract', 'mail', 'store', 'context'] },
  // An answer is kept by the batch that makes what it tells of, and record keeps it: so directory stands above it.
  directory: { parts: ['base', 'contract', 'mail', 'store', 'context', 'record'] },
  ...Object.fromEntries(STAGES.map((stage) => [stage, { parts: STAGE }])),
  relay: { parts: [...STAGE, 'smtp'] },
  http: { parts: ['base', 'contract', 'context', 'record', 'directory', ...STAGES], packages: ['hono'] },
  platform: { parts: ['base', 'context'], packages: ['cloudflare:sockets', 'cloudflare:email'] },
  worker: { parts: [...STAGE, ...STAGES, 'config', 'smtp', 'http', 'platform'] },
  gateway: { parts: ['base', 'mail', 'smtp', 'contract'], packages: ['node:', 'smtp-server'] },
}

/** What context.ts speaks of may be named, as a type, by all who take a context. */
const NAMED_BY_CONTEXT = ['src/config.ts', 'src/store/stores.ts']

/** Time and chance come from ctx: the faces, the platform and the gateway alone meet them as they are. */
const AMBIENT = ['http', 'platform', 'worker', 'gateway']

const MAX_LINES = 400
const MAX_FILES = 15

type Source = { path: string; part: string; text: string }
type Import = { from: Source; types: boolean; target: string }

const sources = filesIn('src')
const imports = sources.flatMap(importsOf)

test('nobody imports upward or sideways: every import is one that the map allows', () => {
  expect([...new Set(sources.map(({ part }) => part))].filter((part) => !LAYERS[part])).toEqual([])
  expect(imports.filter((each) => !isAllowed(each)).map(told)).toEqual([])
})

test('stages never import one another', () => {
  const across = imports.filter(({ from, target }) => {
    const part = target.startsWith('src/') ? partOf(target) : ''
    return STAGES.includes(from.part) && STAGES.includes(part) && part !== from.part
  })
  expect(across.map(told)).toEqual([])
})

test('relative imports name the file, which is there', () => {
  const paths = new Set(sources.map(({ path }) => path))
  const lost = imports.filter(({ target }) => target.startsWith('src/') && !paths.has(target))
  expect(lost.map(told)).toEqual([])
})

const all = [...sources, ...filesIn('test')]

test(`a file has at most ${MAX_LINES} lines`, () => {
  const lengths = all.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
  const long = lengths.filter(({ lines }) => lines > MAX_LINES)
  expect(long.map(({ path, lines }) => `${path} has ${lines} lines`)).toEqual([])
})

test(`a folder has at most ${MAX_FILES} files: with more it has two jobs`, () => {
  const folders = Map.groupBy(all, ({ path }) => dirname(path))
  const full = [...folders].filter(([, files]) => files.length > MAX_FILES)
  expect(full.map(([folder, files]) => `${folder} has ${files.length} files`)).toEqual([])
})

test('time and chance come from the context', () => {
  const ambient = /\bDate\.now\(|\bMath\.random\(|\bnew Date\(\s*\)|\bcrypto\.(?:getRandomValues|randomUUID)\(/
  const guilty = sources.filter(({ part, text }) => !AMBIENT.includes(part) && ambient.test(withoutComments(text)))
  expect(guilty.map(({ path }) => path)).toEqual([])
})

test('nothing is exported by default but the Worker, and no file only passes on what others export', () => {
  const byDefault = sources.filter(({ text }) => /^export default\b/m.test(text)).map(({ path }) => path)
  const wanted = byDefault.filter((path) => path !== 'src/worker.ts' && !path.endsWith('.config.ts'))
  expect(wanted).toEqual([])
  const barrels = sources.filter(({ text }) => /^export \*/m.test(text))
  expect(barrels.map(({ path }) => path)).toEqual([])
})

test('only the store knows SQL', () => {
  const sql = /\bsql`|\.prepare\(|from 'drizzle-orm/
  const guilty = sources.filter(({ part, text }) => part !== 'store' && sql.test(withoutComments(text)))
  expect(guilty.map(({ path }) => path)).toEqual([])
})

function isAllowed({ from, types, target }: Import): boolean {
  const { parts, packages = [] } = LAYERS[from.part] ?? { parts: [] }
  if (target.startsWith('src/')) {
    const part = partOf(target)
    if (part === from.part || parts.includes(part)) return true
    return types && parts.includes('context') && NAMED_BY_CONTEXT.includes(target)
  }
  // Types of packages are gone when the code runs. A file of settings for a tool is the tool's.
  if (types || from.path.endsWith('.config.ts')) return true
  return packages.some((name) => target === name || target.startsWith(name.endsWith(':') ? name : `${name}/`))
}

function told({ from, target }: Import): string {
  return `${from.path} imports ${target}`
}

function filesIn(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name)
      const path = relative(ROOT, file)
      return { path, part: partOf(path), text: readFileSync(file, 'utf8') }
    })
}

function partOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '')
}

/** Static imports, what is passed on with `export … from`, and `import()`. */
function importsOf(from: Source): Import[] {
  const text = withoutComments(from.text)
  const statics = text.matchAll(/^(?:import|export)\s(?:(type)\s)?(?:[^'"`;]*?\sfrom\s+)?'([^']+)'/gm)
  const dynamics = text.matchAll(/\bimport\(\s*'([^']+)'/g)
  const found = [
    ...[...statics].map(([, type, target = '']) => ({ types: type !== undefined, target })),
    ...[...dynamics].map(([, target = '']) => ({ types: false, target })),
  ]
  return found.map(({ types, target }) => ({ from, types, target: resolved(from, target) }))
}

function resolved(from: Source, target: string): string {
  return target.startsWith('.') ? normalize(join(dirname(from.path), target)) : target
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}
