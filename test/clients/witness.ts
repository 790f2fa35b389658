/** Watches a client's calls: what each answered, whether that is what it should be, and whether it would be noticed were it not. */
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import type { RouteSpec } from '../../src/contract/route.ts'
import { judge } from './declared.ts'
import { mutantsOf } from './mutants.ts'
import type { Between } from './proxy.ts'
import { specs } from './specs.ts'

/** As Resend's client answers: one of the two is null. */
export type Answer<T> = { data: T | null; error: { name: string; message: string } | null }

/** A call that succeeded; it can be made again, to be given another answer. */
export type Seen = {
  method: string
  status: number
  answer: unknown
  spec: RouteSpec
  again: () => PromiseLike<Answer<unknown>>
}

export type Witness = {
  seen: Seen[]
  /** Makes a call that has to succeed, of one request alone, and notes its answer. */
  ask<T>(method: string, call: () => PromiseLike<Answer<T>>): Promise<T>
  /** What is wrong with each answer, by the client's declarations or by our contract. */
  faults(calls: readonly Seen[]): Promise<(string | undefined)[]>
  /** The last answer of each method, made wrong in every way, as it comes through the client. */
  mutants(): Promise<(Seen & { what: string })[]>
}

/** `client` is the folder of its package, where its declarations are. */
export function makeWitness(proxy: Between, client: string): Witness {
  const seen: Seen[] = []
  return {
    seen,
    async ask(method, call) {
      const { data, error } = await call()
      if (data === null) expect.fail(`${method}: ${JSON.stringify(error)}`)
      const last = proxy.exchanges.at(-1) ?? expect.fail('nothing was passed on')
      expect(JSON.parse(last.answer), method).toEqual(data)
      expect(data, method).not.toHaveProperty('statusCode')
      seen.push({ method, status: last.status, answer: data, spec: specOf(last.method, last.path), again: call })
      return data
    },
    async faults(calls) {
      const declared = await judge(calls, client)
      return calls.map((call, at) => declared[at] ?? contractFault(call))
    },
    async mutants() {
      const made: (Seen & { what: string })[] = []
      for (const call of new Map(seen.map((call) => [call.method, call])).values()) {
        for (const { what, value } of mutantsOf(call.answer)) {
          proxy.instead = { status: call.status, answer: JSON.stringify(value) }
          const { data } = await call.again()
          made.push({ ...call, answer: data, what: `${call.method}: ${what}` })
        }
      }
      proxy.instead = undefined
      return made
    },
  }
}

/** The contract says all there is: what it does not name must not be answered either. */
function contractFault({ spec, answer, status }: Seen): string | undefined {
  if (status !== (spec.status ?? 200)) return `answered ${status}`
  const read = spec.answer?.safeParse(answer)
  if (!read?.success) return read?.error.message ?? 'has no answer in the contract'
  return isDeepStrictEqual(read.data, answer) ? undefined : 'has more than the contract says'
}

function specOf(method: string, path: string): RouteSpec {
  const steps = path.replace(/\?.*/, '').replace(/^\/+/, '/').split('/')
  const fits = (spec: RouteSpec) => {
    const own = spec.path.split('/')
    const fit = (step: string, at: number) => step.startsWith(':') || step === steps[at]
    return spec.method === method && own.length === steps.length && own.every(fit)
  }
  const found = specs.filter(fits)
  const exact = found.sort((a, b) => a.path.split(':').length - b.path.split(':').length)[0]
  return exact ?? expect.fail(`no route for ${method} ${path}`)
}
