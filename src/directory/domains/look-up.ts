/** Asks the DNS for every record that a domain should have. */
import type { Context, Records } from '../../context.ts'
import type { Expectation } from './records.ts'
import type { Finding } from './stored.ts'

/** What is shown of what was found: a name of a stranger's may hold hundreds of long texts. */
const MAX_FOUND = 5
const MAX_TEXT = 500

/** So far up DMARC is looked for: a stranger's name may have a hundred labels. */
const MAX_LABELS = 8

/** Looks every expectation up, each name once; answers what was found under their keys. Never rejects. */
export async function lookUp(
  ctx: Context,
  domain: string,
  expectations: readonly Expectation[],
): Promise<Record<string, Finding>> {
  const asked = new Map<string, Promise<Records>>()
  const ask = (name: string, type: 'TXT' | 'MX') => {
    const key = `${type} ${name}`
    const answer = asked.get(key) ?? ctx.net.resolve(name, type).catch(noAnswer)
    asked.set(key, answer)
    return answer
  }
  const found = expectations.map(async (expected) => {
    const name = expected.name === '@' ? domain : `${expected.name}.${domain}`
    const finding = judge(expected, await ask(name, expected.type))
    const above = expected.purpose === 'dmarc' && finding.status === 'missing' ? parentsOf(domain) : []
    return [expected.key, (await policyAbove(expected, above, ask)) ?? finding] as const
  })
  return Object.fromEntries(await Promise.all(found))
}

function noAnswer(): Records {
  return { kind: 'trouble', reason: 'the resolver did not answer' }
}

function judge(expected: Expectation, answer: Records): Finding {
  if (answer.kind === 'trouble') return { status: 'trouble', found: [], reason: answer.reason }
  if (answer.kind === 'none') return { status: 'missing', found: [], reason: 'there is no such record' }
  const found = answer.values.slice(0, MAX_FOUND).map((value) => value.slice(0, MAX_TEXT))
  const reason = expected.fault(answer.values)
  return reason === undefined ? { status: 'verified', found } : { status: 'missing', found, reason }
}

/** A domain without a DMARC policy of its own is under that of the organisation above it (RFC 7489 section 6.6.3). */
async function policyAbove(
  expected: Expectation,
  parents: readonly string[],
  ask: (name: string, type: 'TXT') => Promise<Records>,
): Promise<Finding | undefined> {
  for (const parent of parents) {
    const finding = judge(expected, await ask(`_dmarc.${parent}`, 'TXT'))
    if (finding.status === 'verified') return finding
  }
  return undefined
}

function parentsOf(domain: string): string[] {
  const labels = domain.split('.')
  return labels
    .map((_, at) => labels.slice(at).join('.'))
    .slice(1, -1)
    .slice(-MAX_LABELS)
}
