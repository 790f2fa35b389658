/** Every route of the contract, without what answers it. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { RouteSpec } from '../../src/contract/route.ts'

const CONTRACT = join(import.meta.dirname, '../../src/contract')

const files = readdirSync(CONTRACT, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

const modules: object[] = await Promise.all(files.map((file) => import(join(CONTRACT, file))))

export const specs: readonly RouteSpec[] = modules.flatMap((module) => Object.values(module)).filter(isRoute)

function isRoute(value: unknown): value is RouteSpec {
  return typeof value === 'object' && value !== null && 'method' in value && 'path' in value && 'scope' in value
}
