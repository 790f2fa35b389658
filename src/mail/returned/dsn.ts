/**
 * Delivery status notifications (RFC 3464): what a mail server reports of each recipient, in one pass.
 *
 * Servers write it badly: groups run together or are torn apart, types and brackets are missing, the whole stands
 * quoted in a text. So fields are looked for by name, and a new recipient begins where one repeats.
 */

/** What was done for a recipient (RFC 3464 section 2.3.3). */
export type DsnAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded'

/** What the report says of one recipient. */
export type DsnRecipient = {
  /** Every address it is called by, in lower case: as we wrote it, and as it was rewritten. */
  addresses: string[]
  action?: DsnAction
  /** The enhanced code, without its comment: `5.1.1`. */
  status?: string
  /** The words of the server that refused, without their type; on one line. */
  diagnostic?: string
}

/** One message goes to one recipient here; a report that lists more than this was made to cost us. */
const MAX_RECIPIENTS = 200

/** A report of one recipient has half a kilobyte. */
const MAX_TEXT = 256 * 1024

/** Real diagnostics that are longer repeat themselves. */
export const MAX_DIAGNOSTIC = 1024

const RECIPIENTS = ['original-recipient', 'final-recipient', 'x-actual-recipient']
const FIELD =
  /^[ \t]*(original-recipient|final-recipient|x-actual-recipient|action|status|diagnostic-code)[ \t]*:(.*)$/i
const OTHER_FIELD = /^[A-Za-z][A-Za-z0-9-]{0,60}:/
const ACTIONS: readonly (readonly [string, DsnAction])[] = [
  ['fail', 'failed'],
  ['delay', 'delayed'],
  ['deliver', 'delivered'],
  ['relay', 'relayed'],
  ['expand', 'expanded'],
]

/** Reads a message/delivery-status body, or any text that one stands in; those of whom nothing is said are left out. */
export function readDsn(text: string): DsnRecipient[] {
  const groups: Map<string, string>[] = []
  let group: Map<string, string> | undefined
  let open: string | undefined
  let gap = false
  for (const line of text.slice(0, MAX_TEXT).split(/\r\n|\r|\n/)) {
    const [, written, value = ''] = FIELD.exec(line) ?? []
    if (written !== undefined) {
      const name = written.toLowerCase()
      if (!group || group.has(name) || (gap && RECIPIENTS.includes(name) && isSaid(group))) {
        if (groups.length >= MAX_RECIPIENTS) break
        group = new Map()
        groups.push(group)
      }
      group.set(name, value.trim())
      open = name
      gap = false
    } else if (line.trim() === '') {
      gap = true
      open = undefined
    } else if (group && open !== undefined && /^[ \t]/.test(line)) {
      const folded = group.get(open) ?? ''
      if (folded.length < MAX_DIAGNOSTIC) group.set(open, `${folded} ${line.trim()}`)
    } else if (OTHER_FIELD.test(line)) open = undefined
  }
  return groups.filter(isSaid).map(asRecipient)
}

/**
 * The entry that speaks of an address: the one that names it, else the only one, else the worst. `named` says whether
 * it is about this recipient beyond doubt: an alias may stand for several, of whom one is dead.
 */
export function chooseRecipient(
  entries: readonly DsnRecipient[],
  address: string,
): { entry: DsnRecipient; named: boolean } | undefined {
  const wanted = address.toLowerCase()
  const matching = entries.filter(({ addresses }) => addresses.includes(wanted))
  const [entry] = [...(matching.length > 0 ? matching : entries)].sort((a, b) => gravity(b) - gravity(a))
  return entry && { entry, named: matching.length > 0 || entries.length === 1 }
}

/** What was done, also where only the code tells it; undefined where neither does. */
export function actionOf({ action, status }: DsnRecipient): DsnAction | undefined {
  if (action) return action
  const digit = status?.[0]
  return digit === '5' ? 'failed' : digit === '4' ? 'delayed' : digit === '2' ? 'delivered' : undefined
}

function isSaid(group: ReadonlyMap<string, string>): boolean {
  return group.has('action') || group.has('status')
}

function gravity(entry: DsnRecipient): number {
  const action = actionOf(entry)
  if (action === 'failed') return entry.status?.startsWith('4') ? 3 : 4
  return action === 'delayed' ? 2 : 1
}

function asRecipient(group: ReadonlyMap<string, string>): DsnRecipient {
  const addresses = RECIPIENTS.flatMap((name) => addressIn(group.get(name)))
  const word = group.get('action')?.toLowerCase() ?? ''
  const action = ACTIONS.find(([start]) => word.startsWith(start))?.[1]
  const status = /^([245])\.(\d{1,3})\.(\d{1,3})(?!\d)/.exec(group.get('status') ?? '')?.[0]
  const diagnostic = group.get('diagnostic-code')?.replace(/^[A-Za-z0-9-]{1,40}[ \t]*;/, '')
  return {
    addresses: [...new Set(addresses)],
    ...(action ? { action } : {}),
    ...(status ? { status } : {}),
    ...(diagnostic ? { diagnostic: diagnostic.trim().slice(0, MAX_DIAGNOSTIC) } : {}),
  }
}

/** `rfc822;a@b`, `rfc822; <a@b>`, and what leaves the type away. The xtext of RFC 3461 section 4 is decoded. */
function addressIn(field: string | undefined): string[] {
  const bare = (field ?? '')
    .replace(/^[^;@]{0,40};/, '')
    .trim()
    .slice(0, 512)
  const open = bare.indexOf('<')
  const close = bare.indexOf('>', open)
  const address = open >= 0 && close > open ? bare.slice(open + 1, close) : (bare.split(/\s/)[0] ?? '')
  if (!address.includes('@')) return []
  const decoded = address.replace(/\+([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  return [address.toLowerCase(), decoded.toLowerCase()]
}
