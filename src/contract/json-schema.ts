/** JSON Schema out of these schemas, collected as components, and an example of what fits one. */
import * as z from 'zod'

export type Json = { [name: string]: unknown }

export type Components = Record<string, Json>

/** A schema as OpenAPI 3.1 has it; what has an id of its own goes into the components and is referred to. */
export function describeSchema(schema: z.ZodType, io: 'input' | 'output', components: Components): Json {
  const {
    $schema: _,
    $defs,
    ...own
  } = asJson(
    z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      override: ({ jsonSchema }) => {
        // The format says it; the pattern that proves it is for no reader.
        if (jsonSchema.format === 'date-time') delete jsonSchema.pattern
        // An answer may come to tell more, and a client must not break on it.
        if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
      },
    }),
  )
  const named = asJson($defs ?? {})
  for (const [id, definition] of Object.entries(named)) components[id] ??= referring(asJson(definition))
  return referring(own)
}

/** A value that fits: given examples where there are some, else something of the kind. Optional members only where they have an example. */
export function exampleOf(schema: Json, components: Components, depth = 0): unknown {
  if (depth > 8) return {}
  if (typeof schema.$ref === 'string') {
    return exampleOf(components[schema.$ref.slice(PREFIX.length)] ?? {}, components, depth + 1)
  }
  if (schema.example !== undefined) return schema.example
  if (schema.const !== undefined) return schema.const
  if (schema.default !== undefined) return schema.default
  if (Array.isArray(schema.enum)) return schema.enum[0]
  const branches = schema.anyOf ?? schema.oneOf
  if (Array.isArray(branches)) return exampleOf(asJson(branches[0]), components, depth + 1)
  if (schema.type === 'array') return [exampleOf(asJson(schema.items ?? {}), components, depth + 1)]
  if (schema.type === 'object') return exampleObject(schema, components, depth)
  if (schema.format === 'date-time') return '2026-11-23T12:00:00.000Z'
  return EXAMPLES[String(schema.type)] ?? null
}

const PREFIX = '#/components/schemas/'

const EXAMPLES: Readonly<Record<string, unknown>> = { string: 'text', integer: 1, number: 1, boolean: true }

function exampleObject(schema: Json, components: Components, depth: number): Json {
  const required = Array.isArray(schema.required) ? schema.required : []
  const members = Object.entries(asJson(schema.properties ?? {})).flatMap(([name, value]): [string, unknown][] => {
    const member = asJson(value)
    if (!required.includes(name) && member.example === undefined) return []
    return [[name, exampleOf(member, components, depth + 1)]]
  })
  return Object.fromEntries(members)
}

function referring(schema: Json): Json {
  return asJson(JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/$defs/', `"$ref":"${PREFIX}`)))
}

/** What zod makes of a schema is an object all through, but where it lists. */
function asJson(value: unknown): Json {
  return value as Json
}
