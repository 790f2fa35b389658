/** Abuse reports (RFC 5965): what a provider sends when a reader calls our mail unwanted. */

export type AbuseReport = {
  /** `abuse`, `fraud`, `virus`, `other`, `opt-out`, `not-spam`, `auth-failure`, … in lower case; empty where it was not said. */
  type: string
  /** Whether a reader complained. */
  complaint: boolean
}

/** Reports that no reader made: mail that was not spam after all (RFC 6430), failed checks (RFC 6591), and statistics. */
const NO_COMPLAINT = new Set(['not-spam', 'notspam', 'auth-failure', 'dmarc', 'authentication-failure'])

/** A report has twenty short fields. */
const MAX_TEXT = 64 * 1024

/** Reads the body of a message/feedback-report. An unknown type is a complaint: it was reported for some reason. */
export function readAbuseReport(text: string): AbuseReport {
  const type = /^feedback-type[ \t]*:[ \t]*([^\s;]{1,40})/im.exec(text.slice(0, MAX_TEXT))?.[1]?.toLowerCase() ?? ''
  return { type, complaint: isComplaint(type) }
}

/** Whether a feedback type, in lower case, is a reader's complaint. Those who want no more (`opt-out`) are not written to either. */
export function isComplaint(type: string): boolean {
  return !NO_COMPLAINT.has(type)
}
