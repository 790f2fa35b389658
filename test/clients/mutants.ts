/** One answer made wrong in every way that a client could trip over: a field gone, or of another type. */

export type Mutant = { what: string; value: unknown }

/** Every mutant of a JSON value, each with one change. Of an array the first item stands for all. */
export function mutantsOf(value: unknown, path = ''): Mutant[] {
  if (Array.isArray(value)) {
    return mutantsOf(value[0], `${path}[0]`).map(({ what, value: first }) => ({
      what,
      value: [first, ...value.slice(1)],
    }))
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => {
    const where = path === '' ? name : `${path}.${name}`
    const { [name]: _, ...rest } = { ...value } as Record<string, unknown>
    return [
      { what: `${where} dropped`, value: rest },
      { what: `${where} retyped`, value: { ...value, [name]: otherType(member) } },
      ...mutantsOf(member, where).map(({ what, value: inner }) => ({ what, value: { ...value, [name]: inner } })),
    ]
  })
}

/** Of a type that no field of the API has two of: a number becomes a list, all else a number with a fraction. */
function otherType(value: unknown): unknown {
  return typeof value === 'number' ? [value] : 0.5
}
