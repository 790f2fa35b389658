/** Calls to URLs that a tenant named. */
import { Problem } from '../base/problem.ts'
import type { Net } from '../context.ts'

/** Makes the guarded half of the network. */
export function guardedNet(_settings: { local: boolean; ownHosts: string[] }): Pick<Net, 'fetch' | 'checkHost'> {
  return {
    fetch: async () => ({ kind: 'refused', reason: 'no outbound calls yet' }),
    checkHost: async (host) => {
      if (host === '') throw new Problem('validation_error', 'a host is needed')
    },
  }
}
