/** The trace that every mail server leaves on top of a mail (RFC 5321 section 4.4). */

export type Trace = {
  /** What the client called itself in EHLO. */
  helo: string
  ip: string
  /** Our own name. */
  by: string
  /** SMTP, ESMTP or ESMTPA. */
  protocol: string
  /** Whether the client asked for SMTPUTF8, which has protocol names of its own (RFC 6531 section 4.3). */
  utf8: boolean
  id: string
  at: Date
}

/** The Received field of one recipient's copy; it names nobody else, for others may be blind copies. */
export function receivedField(trace: Trace, recipient: string): string {
  const ip = trace.ip.includes(':') ? `IPv6:${trace.ip}` : trace.ip
  const protocol = trace.utf8 ? trace.protocol.replace(/^E?SMTP/, 'UTF8SMTP') : trace.protocol
  return [
    `Received: from ${hostWord(trace.helo)} ([${ip}])`,
    `\tby ${trace.by} with ${protocol} id ${trace.id}`,
    `\tfor <${recipient}>; ${mailDate(trace.at)}`,
    '',
  ].join('\r\n')
}

/** RFC 5322 section 3.3. */
function mailDate(at: Date): string {
  return at.toUTCString().replace('GMT', '+0000')
}

/** A client may call itself anything; only what can stand in a host name or an address literal is repeated. */
function hostWord(helo: string): string {
  return helo.replace(/[^A-Za-z0-9._:[\]-]/g, '?').slice(0, 255)
}
