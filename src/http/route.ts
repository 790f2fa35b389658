/** Binds a route of the contract to what answers it. A handler gets what the schemas made of the request, and the right context. */
import type * as z from 'zod'
import type { Caller, Context } from '../context.ts'
import type { AccountScope, RouteSpec } from '../contract/route.ts'
import type { Once } from './once.ts'

type ContextOf<S extends RouteSpec> = S['scope'] extends AccountScope ? Caller : Context

type AnswerOf<S extends RouteSpec> = S['answer'] extends z.ZodType
  ?
      | z.input<S['answer']>
      | (S['answers'] extends string ? Response : never)
      | (S['told'] extends object ? Response : never)
  : Response

export type Input<S extends RouteSpec> = {
  readonly ctx: ContextOf<S>
  /** Path parameters, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: S['query'] extends z.ZodType ? z.output<S['query']> : undefined
  readonly headers: S['headers'] extends z.ZodType ? z.output<S['headers']> : undefined
  readonly body: S['body'] extends z.ZodType ? z.output<S['body']> : undefined
  /** Only on routes that create. */
  readonly once: Once | undefined
  /** For routes that read bytes. */
  readonly request: Request
}

/** A route with its handler, its types erased to what the app needs. */
export type Bound = { readonly spec: RouteSpec; readonly handle: (input: ErasedInput) => Promise<unknown> }

export type ErasedInput = {
  ctx: Context | Caller
  params: Record<string, string>
  query: unknown
  headers: unknown
  body: unknown
  once: Once | undefined
  request: Request
}

/** Binds one route: `on(SendEmail, ({ ctx, body, once }) => submit(ctx, body, once))`. */
export function on<S extends RouteSpec>(spec: S, handle: (input: Input<S>) => Promise<AnswerOf<S>>): Bound {
  return { spec, handle: (input) => handle(asInput<S>(input)) }
}

/** The app hands over what this route's own schemas and scope made, which is what Input<S> says. */
function asInput<S extends RouteSpec>(input: ErasedInput): Input<S> {
  return input as unknown as Input<S>
}

/** A path parameter that the route's path names. */
export function param(params: Readonly<Record<string, string>>, name: string): string {
  return params[name] ?? ''
}
