/** How long an account keeps its mail, as its settings say it. */

/** Days; null is for ever. Trash and Junk count from when a message entered them, the others from when it was made here. */
export type Retention = {
  trash_days: number | null
  junk_days: number | null
  received_days: number | null
  sent_days: number | null
}

/** What a new account has: as long as mail programs do, and what is not thrown away is kept. */
export const NEW_RETENTION: Retention = { trash_days: 30, junk_days: 30, received_days: null, sent_days: null }

/** Out of an account's settings; what they do not say is kept for ever. */
export function retentionOf(settings: string | null): Retention {
  const said: unknown = Reflect.get(Object(JSON.parse(settings ?? '{}')), 'retention')
  const days = (name: keyof Retention) => {
    const value: unknown = Reflect.get(Object(said), name)
    return typeof value === 'number' && value > 0 ? value : null
  }
  return {
    trash_days: days('trash_days'),
    junk_days: days('junk_days'),
    received_days: days('received_days'),
    sent_days: days('sent_days'),
  }
}
