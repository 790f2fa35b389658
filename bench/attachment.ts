/** How soon a large attachment begins to come, and how fast all of it does, beside a plain read of an object of that size. */
import { figure, keep, type Pair, type Side } from './accepting.ts'
import { inbound, reading } from './account.ts'
import { compare, sideBySide } from './load.ts'
import { largeMail } from './mails.ts'
import type { Row } from './table.ts'

const MIB = 1024 * 1024

/** A mail of the largest size has 18 MiB of attachment in it. */
const MAIL = 25 * MIB
const ATTACHMENT = 18 * MIB

type Came = { first: number; all: number }

export async function measureAttachment({ floor, ours, account, inboundKey }: Pair): Promise<Row[]> {
  const kept = await called(floor, keep(Buffer.alloc(ATTACHMENT, 1)))
  const plain = `${floor.caller.origin}/mails/${String(kept.key)}`
  const { id } = await called(ours, inbound(inboundKey, account.address, largeMail(account.address)(MAIL)))
  const listed = await called(ours, reading(account, `/emails/receiving/${String(id)}/attachments`))
  const link = /"download_url":"([^"]+)"/.exec(JSON.stringify(listed))?.[1]
  if (!link) throw new Error('the mail shows no attachment')
  const pairs = await sideBySide(
    5,
    () => download(plain),
    () => download(ours.caller.origin + new URL(link).pathname + new URL(link).search),
  )
  return [
    figure(
      'attachment of 18 MiB: first bytes',
      'ms',
      compare(pairs, ({ first }) => first),
    ),
    figure(
      'attachment of 18 MiB: all of it, decoded',
      'ms',
      compare(pairs, ({ all }) => all),
    ),
  ]
}

async function called({ caller }: Side, call: Parameters<Side['caller']['call']>[0]): Promise<Record<string, unknown>> {
  return Object(JSON.parse((await caller.call(call)).body))
}

async function download(url: string): Promise<Came> {
  const began = performance.now()
  const answer = await fetch(url)
  if (!answer.ok || !answer.body) throw new Error(`${answer.status} for an attachment`)
  let first = Number.NaN
  for await (const _chunk of answer.body) if (Number.isNaN(first)) first = performance.now() - began
  return { first, all: performance.now() - began }
}
