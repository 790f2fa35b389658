/** A DNS in memory, which is published to as a domain's owner would. */
import type { Caller, Net } from '../../../src/context.ts'
import type { Faults } from '../../support/faults.ts'
import { makeAccount, makeWorld, type World } from '../../support/world.ts'

type Shown = { purpose: string; name: string; type: string; value: string; priority?: number }

export type Zone = {
  /** Values by `TYPE name`. */
  records: Map<string, string[]>
  /** Names that nobody answers for. */
  broken: Set<string>
  /** Everything that was asked, in order. */
  asked: string[]
  resolve: Net['resolve']
  /** Publishes records as the API shows them; those of some purposes only, where `purposes` names them. */
  publish(domain: string, shown: readonly Shown[], purposes?: readonly string[]): void
  /** Takes what is published for these purposes back. */
  withdraw(domain: string, shown: readonly Shown[], purposes?: readonly string[]): void
}

const ALL = ['return_path', 'dkim', 'receiving', 'dmarc', 'ownership']

export function makeZone(): Zone {
  const records = new Map<string, string[]>()
  const broken = new Set<string>()
  const asked: string[] = []
  const keyOf = (domain: string, { name, type }: Shown) => `${type} ${name === '@' ? domain : `${name}.${domain}`}`
  const written = ({ value, priority }: Shown) => (priority === undefined ? value : `${priority} ${value}`)
  return {
    records,
    broken,
    asked,
    resolve: async (name, type) => {
      asked.push(`${type} ${name}`)
      if (broken.has(name)) return { kind: 'trouble', reason: 'the resolver told of an error (2)' }
      const values = records.get(`${type} ${name}`)
      return values ? { kind: 'records', values } : { kind: 'none' }
    },
    publish(domain, shown, purposes = ALL) {
      for (const each of shown.filter(({ purpose }) => purposes.includes(purpose))) {
        const key = keyOf(domain, each)
        records.set(key, [...new Set([...(records.get(key) ?? []), written(each)])])
      }
    },
    withdraw(domain, shown, purposes = ALL) {
      for (const each of shown.filter(({ purpose }) => purposes.includes(purpose))) records.delete(keyOf(domain, each))
    },
  }
}

/** A world that is no local copy, and the zone that it looks into. */
export async function makeRemoteWorld(given: { faults?: Faults } = {}): Promise<{ world: World; zone: Zone }> {
  const zone = makeZone()
  const config = { local: false, checksDomains: true, MAIL_HOST: 'mx.pochta.example', mxHost: 'mx.pochta.example' }
  return { zone, world: await makeWorld({ net: { resolve: zone.resolve }, config, ...given }) }
}

/** Several accounts, whose own domains are of no interest. */
export async function makeAccounts(world: World, count: number): Promise<Caller[]> {
  return Promise.all(Array.from({ length: count }, () => makeAccount(world)))
}
