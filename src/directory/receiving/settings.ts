/** How an address takes mail: read out of a request into what its row holds, and shown. */
import { type FieldFault, Problem } from '../../base/problem.ts'
import type { Caller } from '../../context.ts'
import type { AutoReply } from '../../contract/directory/receiving.ts'
import { addressKey, parseAddress } from '../../mail/address.ts'
import { isoTime } from '../../record/email-event.ts'
import { findOwners } from '../../store/directory/owners.ts'
import type { AddressSettings, AutoReplySettings } from '../../store/receiving/settings.ts'
import { senderPattern } from './senders.ts'

/** As the contract has them; what is undefined stays as it is, null goes. */
export type ReceivingBody = {
  pause?: 'defer' | 'reject' | null | undefined
  max_bytes?: number | null | undefined
  allow?: string[] | null | undefined
  block?: string[] | null | undefined
  deliver_to?: string[] | null | undefined
  auto_reply?: AutoReply | null | undefined
}

/** The settings that those of the body make of the present ones. @throws Problem validation_error naming every field at fault. */
export async function mergeSettings(
  ctx: Caller,
  present: AddressSettings,
  body: ReceivingBody,
  self: string,
): Promise<AddressSettings> {
  const faults: FieldFault[] = []
  const merged: AddressSettings = {
    pause: pick(body.pause, present.pause),
    maxBytes: pick(body.max_bytes, present.maxBytes),
    allow: unlessEmpty(pick(readSenders('allow', body.allow, faults), present.allow)),
    block: unlessEmpty(pick(readSenders('block', body.block, faults), present.block)),
    deliverTo: unlessEmpty(pick(await readAliases(ctx, body.deliver_to, self, faults), present.deliverTo)),
    autoReply: pick(body.auto_reply && readAutoReply(body.auto_reply), present.autoReply),
  }
  const first = faults[0]
  if (first) {
    throw new Problem('validation_error', `Invalid \`${first.path}\`: ${first.reason}`, { fields: faults })
  }
  return merged
}

export function showSettings(settings: AddressSettings) {
  const { autoReply } = settings
  return {
    pause: settings.pause ?? null,
    max_bytes: settings.maxBytes ?? null,
    allow: settings.allow ?? [],
    block: settings.block ?? [],
    deliver_to: (settings.deliverTo ?? []).map(({ address }) => address),
    auto_reply: autoReply
      ? {
          subject: autoReply.subject ?? null,
          text: autoReply.text,
          html: autoReply.html ?? null,
          interval_days: autoReply.intervalDays,
          starts_at: autoReply.startsAt === undefined ? null : isoTime(autoReply.startsAt),
          ends_at: autoReply.endsAt === undefined ? null : isoTime(autoReply.endsAt),
        }
      : null,
  }
}

function pick<T>(given: T | null | undefined, present: T | undefined): T | undefined {
  return given === undefined ? present : (given ?? undefined)
}

function unlessEmpty<T>(list: T[] | undefined): T[] | undefined {
  return list && list.length > 0 ? list : undefined
}

function readSenders(path: string, texts: string[] | null | undefined, faults: FieldFault[]) {
  if (!texts) return texts
  const read = texts.map((text, at) => {
    const pattern = senderPattern(text)
    if (!pattern) faults.push({ path: `${path}[${at}]`, reason: 'is none of ann@x.test, @x.test, @*.x.test' })
    return pattern
  })
  return [...new Set(read.flatMap((pattern) => pattern ?? []))]
}

/** Addresses of the account itself, or of any where the operator asks; whose they are now is written beside them. */
async function readAliases(ctx: Caller, texts: string[] | null | undefined, self: string, faults: FieldFault[]) {
  if (!texts || texts.length === 0) return texts === undefined ? undefined : []
  const keys = texts.map(keyOf)
  // The address itself may be about to be made, so it is not looked for.
  const owners = await findOwners(
    ctx.stores,
    keys.flatMap((key) => (key === undefined || key === self ? [] : key)),
  )
  const mayHave = (account: number) => ctx.access.key === 'operator' || account === ctx.account.number
  const found = new Map(owners.filter(({ account }) => mayHave(account)).map((owner) => [owner.address, owner.account]))
  found.set(self, ctx.account.number)
  const read = keys.map((key, at) => {
    const account = key === undefined ? undefined : found.get(key)
    if (key !== undefined && account !== undefined) return { address: key, account }
    faults.push({ path: `deliver_to[${at}]`, reason: 'is not an address of this account' })
    return undefined
  })
  return [...new Map(read.flatMap((one) => (one ? [[one.address, one] as const] : []))).values()]
}

function keyOf(text: string): string | undefined {
  const address = parseAddress(text)
  return address && addressKey(address)
}

function readAutoReply(body: AutoReply): AutoReplySettings {
  return {
    text: body.text,
    intervalDays: body.interval_days,
    ...(body.subject ? { subject: body.subject } : {}),
    ...(body.html ? { html: body.html } : {}),
    ...(body.starts_at ? { startsAt: Date.parse(body.starts_at) } : {}),
    ...(body.ends_at ? { endsAt: Date.parse(body.ends_at) } : {}),
  }
}
