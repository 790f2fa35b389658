/** Abuse reports (RFC 5965): what a provider sends when a reader calls our mail unwanted. */

export type AbuseReport = {
  /** `abuse`, `fraud`, `virus`, `other`, `not-spam`, `auth-failure`, … in lower case; empty where it was not said. */
  type: string
  /** Whether a reader complained. */
  complaint: boolean
}

/** Reports that no reader made: mail that was not spam after all (RFC 6430), and failed checks (RFC 6591). */
const NO_COMPLAINT = new Set(['not-spam', 'auth-failure', 'dmarc'])

/** A report has twenty short fields. */
const MAX_TEXT = 64 * 1024

/** Reads the body of a message/feedback-report. An unknown type is a complaint: it was reported for some reason. */
export function readAbuseReport(text: string): AbuseReport {
  const type = /^feedback-type[ \t]*:[ \t]*([^\s;]{1,40})/im.exec(text.slice(0, MAX_TEXT))?.[1]?.toLowerCase() ?? ''
  return { type, complaint: !NO_COMPLAINT.has(type) }
}
