/** What many bodies share: ids, times, lists, the refusal. */
import * as z from 'zod'

export const Id = z.string().meta({ description: 'A UUID.', example: '01919b1e-7c4a-7e10-8f3a-5b0c6d7e8f90' })

/** ISO 8601 in UTC with Z. */
export const Time = z.iso.datetime().meta({ description: 'ISO 8601, UTC.' })

/** How one page of a list is asked for. */
export const ListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'How many, 1 to 100.' }),
  after: z.string().optional().meta({ description: 'The id after which the page begins (older ones).' }),
  before: z.string().optional().meta({ description: 'The id before which the page ends (newer ones).' }),
})

export type ListQuery = z.output<typeof ListQuery>

/** A page of a list, newest first. */
export function list<T extends z.ZodType>(item: T) {
  return z.object({ object: z.literal('list'), has_more: z.boolean(), data: z.array(item) })
}

/** What a deletion answers: never an empty body, because clients take that for an error. */
export function deleted<T extends string>(object: T) {
  return z.object({ object: z.literal(object), id: z.string(), deleted: z.literal(true) })
}

/** A text that may reach a header: without CR, LF or NUL. */
export const HeaderText = z
  .string()
  .refine((text) => !/[\r\n\0]/.test(text), { error: 'must not contain a line break or NUL' })

export const Refusal = z
  .object({
    statusCode: z.number().int(),
    name: z.string(),
    message: z.string(),
    fields: z.array(z.object({ path: z.string(), reason: z.string() })).optional(),
    fix: z.string().optional(),
    request_id: z.string(),
  })
  .meta({ id: 'Refusal', description: 'What every refusal looks like.' })
