/** The JSON in an address's row: how it takes mail. What is missing is as by default. */

export type AutoReplySettings = {
  subject?: string
  text: string
  html?: string
  intervalDays: number
  /** ms since 1970. */
  startsAt?: number
  endsAt?: number
}

export type AddressSettings = {
  pause?: 'defer' | 'reject'
  maxBytes?: number
  /** As `senderKey` writes them: `a@b`, `@b` or `@*.b`. */
  allow?: string[]
  block?: string[]
  /** Each with the account that had it when it was named, so that who gets the name later gets no mail by it. */
  deliverTo?: { address: string; account: number }[]
  autoReply?: AutoReplySettings
}

/** Settings as a column holds them: only the directory writes it, and only in this shape. */
export function readSettings(column: string | null): AddressSettings {
  return column === null ? {} : (JSON.parse(column) as AddressSettings)
}

/** Null where all is as by default. */
export function writeSettings(settings: AddressSettings): string | null {
  const kept = Object.entries(settings).filter(([, value]) => value !== undefined)
  return kept.length > 0 ? JSON.stringify(Object.fromEntries(kept)) : null
}
