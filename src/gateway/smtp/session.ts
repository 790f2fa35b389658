/** What an SMTP session says of its client: who sends, over what, and whether it may relay. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { SMTPServerAuthentication, SMTPServerSession } from 'smtp-server'
import { parseAddress } from '../../mail/address.ts'
import type { Trace } from './trace.ts'

/** The reverse path in our canonical form where it has one; empty for the null path. */
export function senderOf(session: SMTPServerSession): string {
  const given = session.envelope.mailFrom ? session.envelope.mailFrom.address : ''
  return parseAddress(given, { literals: true })?.address ?? given
}

/** What the trace says of this transaction; `by` is our own name. */
export function traceOf(session: SMTPServerSession, by: string, at: Date): Trace {
  return {
    helo: session.hostNameAppearsAs,
    ip: session.remoteAddress,
    by,
    protocol: session.transmissionType,
    utf8: session.envelope.smtpUtf8 === true,
    id: `${session.id}-${session.transaction}`,
    at,
  }
}

/** Whether a login is that of the relay's client. */
export function isRelayClient(auth: SMTPServerAuthentication, relay: { user: string; password: string }): boolean {
  const rightUser = auth.username === relay.user
  return sameText(auth.password ?? '', relay.password) && rightUser
}

/** Compares digests, so that neither length nor place of a difference shows in the time. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
