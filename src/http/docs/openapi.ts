/** OpenAPI 3.1 out of the route table: what is published is what validates. */
import { PROBLEM_CODES, type ProblemCode } from '../../base/problem.ts'
import { Refusal } from '../../contract/common.ts'
import { type Components, describeSchema, exampleOf, type Json } from '../../contract/json-schema.ts'
import type { RouteSpec } from '../../contract/route.ts'
import { nameOf, statusOf } from '../problem.ts'

/** Describes every route. `server` is where the API is reached. */
export function describeApi(specs: readonly RouteSpec[], server: string): Json {
  const components: Components = {}
  describeSchema(Refusal, 'output', components)
  const paths: Record<string, Json> = {}
  for (const spec of specs) {
    const path = spec.path.replace(/:([a-z_]+)/g, '{$1}')
    paths[path] = { ...paths[path], [spec.method.toLowerCase()]: operationOf(spec, components) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Pochta',
      version: '1',
      description:
        'Send mail, receive it, and manage addresses. Where Resend has a resource, ours has its paths, names and shapes.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: server }],
    tags: [...new Set(specs.map((spec) => spec.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key (re_…), or the operator’s key.' },
      },
    },
  }
}

function operationOf(spec: RouteSpec, components: Components): Json {
  return {
    operationId: operationId(spec),
    tags: [spec.tag],
    summary: spec.summary,
    description: whoMay(spec),
    security: isOpen(spec) ? [] : [{ key: [] }],
    parameters: parametersOf(spec, components),
    ...bodyOf(spec, components),
    responses: { ...successOf(spec, components), ...refusalsOf(spec) },
  }
}

/** `GET /emails/:id/attachments/:aid` is getEmailsIdAttachmentsAid. */
function operationId({ method, path }: RouteSpec): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter(Boolean)
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

function isOpen({ scope }: RouteSpec): boolean {
  return scope === 'public' || scope === 'link'
}

function isAccounts(spec: RouteSpec): boolean {
  return !isOpen(spec) && spec.scope !== 'operator' && spec.scope !== 'inbound:write'
}

function whoMay(spec: RouteSpec): string {
  if (spec.scope === 'public') return 'Needs no key.'
  if (spec.scope === 'link') return 'Needs no key: the URL is signed.'
  if (spec.scope === 'operator') return 'Needs the operator’s key.'
  if (spec.scope === 'inbound:write') return 'Needs a key of the instance with `inbound:write`, or the operator’s.'
  const instance = spec.instance ? '; without X-Account it is about what belongs to the instance' : ''
  return `Needs a key with the scope \`${spec.scope}\`, or the operator’s with X-Account${instance}.`
}

function parametersOf(spec: RouteSpec, components: Components): Json[] {
  const path = [...spec.path.matchAll(/:([a-z_]+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const named = (place: 'query' | 'header', schemas: RouteSpec['query']) => {
    const described = schemas ? describeSchema(schemas, 'input', components) : {}
    const required = Array.isArray(described.required) ? described.required : []
    return Object.entries(described.properties ?? {}).map(([name, schema]) => {
      return { name, in: place, required: required.includes(name), schema }
    })
  }
  const header = (name: string, description: string, schema: Json) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema,
  })
  return [
    ...path,
    ...named('query', spec.query),
    ...named('header', spec.headers),
    ...(isAccounts(spec)
      ? [header('X-Account', 'With the operator’s key alone: the id of the account it acts for.', { type: 'string' })]
      : []),
    ...(spec.creates
      ? [
          header('Idempotency-Key', 'The same key and body within 24 hours make one thing and get one answer.', {
            type: 'string',
            minLength: 1,
            maxLength: 256,
          }),
        ]
      : []),
  ]
}

function bodyOf(spec: RouteSpec, components: Components): Json {
  if (spec.rawBody) {
    const schema = { type: 'string', format: 'binary' }
    return { requestBody: { required: true, content: { [spec.rawBody]: { schema } } } }
  }
  if (!spec.body) return {}
  const schema = describeSchema(spec.body, 'input', components)
  const example = exampleOf(schema, components)
  return { requestBody: { required: true, content: { 'application/json': { schema, example } } } }
}

function successOf(spec: RouteSpec, components: Components): Json {
  const status = String(spec.status ?? 200)
  const bytes = { schema: { type: 'string', ...(spec.answers === 'text/html' ? {} : { format: 'binary' }) } }
  const other = spec.answers || !spec.answer ? { [spec.answers ?? 'application/octet-stream']: bytes } : {}
  if (!spec.answer) return { [status]: { description: 'Done.', content: other } }
  const schema = describeSchema(spec.answer, 'output', components)
  const example = exampleOf(schema, components)
  return { [status]: { description: 'Done.', content: { 'application/json': { schema, example }, ...other } } }
}

/** Every refusal that the route can give, by status. */
function refusalsOf(spec: RouteSpec): Json {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of PROBLEM_CODES.filter((code) => codesOf(spec).has(code))) {
    byStatus.set(statusOf(code), [...(byStatus.get(statusOf(code)) ?? []), code])
  }
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } }
  const answers = [...byStatus].map(([status, codes]) => {
    const names = [...new Set(codes.map(nameOf))].map((name) => `\`${name}\``)
    return [String(status), { description: `Refused: ${names.join(', ')}.`, content }]
  })
  const told = (spec.told ?? [])
    .filter((status) => !byStatus.has(status))
    .map((status) => [String(status), { description: 'Nothing was stored, and nothing will be: for good.' }])
  const bug = ['500', { description: 'A bug of ours: `application_error`.', content }]
  return Object.fromEntries([...answers, ...told, bug])
}

function codesOf(spec: RouteSpec): Set<ProblemCode> {
  const codes = new Set<ProblemCode>(['rate_limit_exceeded', 'service_unavailable', ...(spec.problems ?? [])])
  const add = (...more: ProblemCode[]) => {
    for (const code of more) codes.add(code)
  }
  if (!isOpen(spec)) add('missing_api_key', 'invalid_api_key', 'restricted_api_key')
  if (isAccounts(spec)) add('invalid_request', 'not_found')
  if (spec.query) add('invalid_parameter', 'missing_required_field')
  if (spec.body) {
    add('invalid_request', 'missing_required_field', 'validation_error', 'invalid_parameter', 'payload_too_large')
  }
  if (spec.creates) add('invalid_idempotency_key', 'invalid_idempotent_request')
  return codes
}
