/**
 * What the DNS of a domain must say: that the claim is this account's; our DKIM key; where bounces come back and who may
 * send them out (RFC 7208), under the label of the return path; and where mail for the domain goes.
 */
import type { Context } from '../../context.ts'
import { dkimRecord } from '../../mail/dkim.ts'
import type { DomainRow } from '../../store/directory/domains.ts'
import { readOtherKey, readSettings } from './stored.ts'

export type Expectation = {
  /** Under which it is kept what was found. */
  key: string
  /** What it is for. */
  purpose: 'return_path' | 'dkim' | 'receiving' | 'dmarc' | 'ownership'
  /** The same in the words of Resend's clients, which know no others: what they have no word for is, as SPF is, a policy in a TXT record. */
  record: 'SPF' | 'DKIM' | 'Receiving'
  /** Relative to the domain; @ is the domain itself. */
  name: string
  value: string
  /** `proof`: without it nothing is sent. `service`: without it the domain is verified in part. `advice`: it changes nothing. */
  need: 'proof' | 'service' | 'advice'
  /** What is wrong with the records that were found there; undefined where nothing is. */
  fault(values: readonly string[]): string | undefined
} & ({ type: 'TXT' } | { type: 'MX'; priority: number })

/** How preferred our mail host is among MX records (RFC 5321 section 5.1): it is the only one. */
const PRIORITY = 10

/** Cloudflare's own hosts hand what they take to the Worker. */
const CLOUDFLARE = '.mx.cloudflare.net'

/** All records of a domain, in the order in which they are shown: what Resend's clients have no word for comes last. */
export function expectationsOf(config: Context['config'], row: DomainRow): Expectation[] {
  const { capabilities } = readSettings(row)
  const label = row.returnPathLabel
  const other = readOtherKey(row)
  const host = config.mxHost.toLowerCase()
  const mx = { type: 'MX' as const, value: config.mxHost, priority: PRIORITY, need: 'service' as const }
  const claim = `pochta-verification=${row.token}`
  const dkim = (selector: string, publicBase64: string, need: Expectation['need']): Expectation => ({
    ...{ key: `dkim:${selector}`, purpose: 'dkim', record: 'DKIM', name: `${selector}._domainkey`, type: 'TXT', need },
    value: dkimRecord(publicBase64),
    fault: (values) => faultOfDkim(values, publicBase64),
  })
  const sending: Expectation[] = [
    {
      key: 'return',
      purpose: 'return_path',
      record: 'SPF',
      name: label,
      ...mx,
      fault: (values) => faultOfMx(values, host),
    },
    // Whoever relays for us sends from hosts that only he can name: he says what to include here besides.
    {
      key: 'spf',
      purpose: 'return_path',
      record: 'SPF',
      name: label,
      type: 'TXT',
      value: 'v=spf1 mx ~all',
      need: 'service',
      fault: faultOfSpf,
    },
    dkim(row.dkimSelector, row.dkimPublic, 'proof'),
    ...(other ? [dkim(other.selector, other.publicBase64, 'advice')] : []),
  ]
  const receiving: Expectation[] = [
    {
      key: 'receiving',
      purpose: 'receiving',
      record: 'Receiving',
      name: '@',
      ...mx,
      fault: (values) => faultOfMx(values, host),
    },
  ]
  const dmarc: Expectation = {
    ...{ key: 'dmarc', purpose: 'dmarc', record: 'SPF', name: '_dmarc', type: 'TXT', need: 'advice' },
    value: 'v=DMARC1; p=none;',
    fault: faultOfDmarc,
  }
  const ownership: Expectation = {
    ...{ key: 'ownership', purpose: 'ownership', record: 'SPF', name: '_pochta', type: 'TXT', need: 'proof' },
    value: claim,
    fault: (values) => (values.some((value) => value.trim().toLowerCase() === claim) ? undefined : DIFFERS),
  }
  const sends = capabilities.sending === 'enabled'
  return [
    ...(sends ? sending : []),
    ...(capabilities.receiving === 'enabled' ? receiving : []),
    ...(sends ? [dmarc] : []),
    ownership,
  ]
}

const DIFFERS = 'no record here has this value'

/** Among several records one must hold the key; its other tags must let it be used for mail (RFC 6376 section 3.6.1). */
function faultOfDkim(values: readonly string[], publicBase64: string): string | undefined {
  const keys = values.map(tagsOf)
  const ours = keys.find((tags) => tags.get('p')?.replace(/\s+/g, '') === publicBase64)
  if (!ours)
    return keys.some((tags) => tags.get('p') === '') ? 'the key here is revoked' : 'the key here is another one'
  const allows = (tag: string, word: string) =>
    (ours.get(tag) ?? word).split(':').some((each) => [word, '*'].includes(each.trim().toLowerCase()))
  if (!allows('v', 'dkim1') || !allows('k', 'rsa') || !allows('s', 'email'))
    return 'the record is not of an RSA key for mail'
  return allows('h', 'sha256') ? undefined : 'the record does not allow sha256'
}

/** A tag list (RFC 6376 section 3.2), in any order; white space around names and values means nothing. */
function tagsOf(text: string): Map<string, string> {
  return new Map(
    text.split(';').flatMap((tag): [string, string][] => {
      const at = tag.indexOf('=')
      return at < 0 ? [] : [[tag.slice(0, at).trim().toLowerCase(), tag.slice(at + 1).trim()]]
    }),
  )
}

/** There is one (RFC 7208 section 4.5), and it lets somebody send; whom, its owner knows better than we do. */
function faultOfSpf(values: readonly string[]): string | undefined {
  const policies = values.filter((value) => /^v=spf1(?: |$)/i.test(value.trim()))
  if (policies.length > 1) return 'there are several SPF records, which counts as none'
  const terms = policies[0]?.trim().split(/ +/).slice(1)
  if (!terms) return 'no record here is an SPF record'
  return terms.some((term) => !/^(?:[-~?]|\+?all$|exp=)/i.test(term)) ? undefined : 'it lets nobody send'
}

/** Only the most preferred hosts count: the rest gets no mail while those answer. */
function faultOfMx(values: readonly string[], host: string): string | undefined {
  const hosts = values
    .map((value) => value.split(' '))
    .map(([priority, name = '']) => ({ priority: Number(priority), name }))
  const best = Math.min(...hosts.map(({ priority }) => priority))
  const isOurs = ({ name }: { name: string }) => name === host || name.endsWith(CLOUDFLARE)
  if (hosts.some((each) => each.priority === best && isOurs(each))) return undefined
  return hosts.some(isOurs) ? 'another host is preferred to ours' : 'mail goes to another host'
}

function faultOfDmarc(values: readonly string[]): string | undefined {
  return values.some((value) => /^v=dmarc1\s*(?:;|$)/i.test(value.trim()))
    ? undefined
    : 'no record here is a DMARC record'
}
