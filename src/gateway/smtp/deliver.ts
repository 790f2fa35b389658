/** The end of DATA: brings a mail in for each recipient of ours, catches it for the others, and finds the one reply. */
import { relative } from 'node:path'
import type { Api } from '../api.ts'
import { mailLine, type Tell } from '../tell.ts'
import type { Alone } from './alone.ts'
import { bringIn, type Outcome } from './bring-in.ts'
import { keepCaught } from './caught.ts'
import type { Route } from './recipients.ts'
import { Refusal, tryAgain } from './refusal.ts'
import type { Spooled } from './spool.ts'
import { receivedField, type Trace } from './trace.ts'

export type Mail = { from: string; recipients: Route[]; spooled: Spooled; trace: Trace }

export type Ways = { api: Api; key: string; caught: string; alone: Alone; tell: Tell }

/** So many recipients of one mail are stored at a time: each streams the whole mail. */
const AT_ONCE = 4

/**
 * Settles a mail for all its recipients; when it returns, each has it.
 * @throws Refusal temporary, where anyone does not have it and may yet: the API knows who has it already.
 * @throws Refusal permanent, where nobody can have it.
 */
export async function deliver(mail: Mail, ways: Ways): Promise<string> {
  const ours = mail.recipients.filter(({ route }) => route === 'ours').map(({ to }) => to)
  const elsewhere = mail.recipients.filter(({ route }) => route === 'elsewhere').map(({ to }) => to)
  const outcomes = await bringInAll(mail, ours, ways)
  const unsettled = theOneReply(mail, outcomes, elsewhere.length > 0, ways.alone)
  if (unsettled) throw unsettled
  // Last, because a catch is not repeatable: a client that is told to come again would be caught twice.
  if (elsewhere.length > 0) await catchFor(mail, elsewhere, ways)
  return 'taken'
}

type Settled = { to: string; outcome: Outcome }

async function bringInAll(mail: Mail, recipients: string[], ways: Ways): Promise<Settled[]> {
  const settled: Settled[] = []
  const waiting = recipients.values()
  const work = async () => {
    for (const to of waiting) {
      const copy = new Blob([receivedField(mail.trace, to), mail.spooled.blob])
      const outcome = await bringIn(ways.api, ways.key, copy, { from: mail.from, to })
      ways.tell(outcomeLine(mail, to, outcome))
      settled.push({ to, outcome })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return settled
}

/** Undefined where all is well so far; else the reply that is true, or a temporary one until a true one can be given. */
function theOneReply(mail: Mail, settled: Settled[], alsoElsewhere: boolean, alone: Alone): Refusal | undefined {
  const later = settled.find(({ outcome }) => outcome.kind === 'later')
  if (later && later.outcome.kind === 'later') return later.outcome.refusal
  const refused = settled.filter(({ outcome }) => outcome.kind === 'refused')
  const [first] = refused
  if (first?.outcome.kind !== 'refused') return undefined
  if (refused.length === settled.length && !alsoElsewhere) return first.outcome.refusal
  for (const { to } of refused) alone.remember(mail.from, to)
  return new Refusal(451, '4.5.3', 'refused for some recipients only: come again, and the reply will be theirs alone')
}

async function catchFor(mail: Mail, to: string[], ways: Ways): Promise<void> {
  const envelope = { from: mail.from, to, trace: mail.trace }
  const path = await keepCaught(ways.caught, mail.spooled, envelope).catch(() => undefined)
  if (!path) throw tryAgain('the mail could not be written down, try again')
  const note = relative('', path)
  for (const one of to) ways.tell(mailLine('caught', { from: mail.from, to: one, size: mail.spooled.size, note }))
}

function outcomeLine(mail: Mail, to: string, outcome: Outcome): string {
  const about = { from: mail.from, to, size: mail.spooled.size }
  if (outcome.kind === 'stored') return mailLine('in', { ...about, note: outcome.note })
  const { refusal } = outcome
  return mailLine(outcome.kind, { ...about, note: `${refusal.responseCode} ${refusal.message}` })
}
