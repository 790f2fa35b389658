/**
 * How a relay of others is given the token of a recipient, so that what it tells of the mail later carries it back:
 * services that send under a return path of their own keep ours from coming back to us.
 */

/** The header field each service reads, hands back in its events and takes out of the mail. The token is a VERP local part: 62 characters of a-z, 0-9 and `-` at most. */
const FIELDS: Readonly<Record<string, (token: string) => string>> = {
  // Metadata: a name of 20 characters, a value of 80.
  postmark: (token) => `X-PM-Metadata-pochta: ${token}`,
  // Message tags: letters, digits, `_` and `-`, 256 of them.
  ses: (token) => `X-SES-MESSAGE-TAGS: pochta=${token}`,
}

/** The field that marks a mail for a service, without a line break; undefined for one that takes our return paths as they are. */
export function markerField(provider: string, token: string): string | undefined {
  return Object.hasOwn(FIELDS, provider) ? FIELDS[provider]?.(token) : undefined
}
