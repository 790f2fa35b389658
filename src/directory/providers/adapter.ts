/**
 * What Pochta knows of a mail service of others: how its calls prove themselves, and what they say. A new one is a file
 * of this shape, a line in adapters.ts and a kind in the contract.
 */
import type { Context } from '../../context.ts'
import type { ProviderKind } from '../../contract/directory/providers.ts'
import type { Returned } from '../../mail/returned/returned.ts'

/** A service that an account (0: the instance) takes calls of, opened. */
export type Provider = {
  readonly account: number
  readonly id: string
  readonly kind: ProviderKind
  readonly name: string
  readonly secrets: Readonly<Record<string, string>>
  readonly settings: Settings
  readonly createdAt: number
}

/** What is no secret. */
export type Settings = {
  readonly topic_arn?: string
  /** With which its calls are signed: a public key in DER (SPKI), in base64. */
  readonly public_key?: string
  /** Whose Authentication-Results are believed in mail that it brings. */
  readonly authserv_ids?: readonly string[]
  /** The host names by which it writes its own Received lines. */
  readonly received_by?: readonly string[]
}

/** A call that claims to come from the service. */
export type Call = { readonly headers: Headers; readonly body: Uint8Array }

/** What a call says of one recipient of one mail. */
export type ProviderEvent = {
  /** Where our token may stand, as it was found: bare, or as a return path. */
  readonly tokens: readonly string[]
  /** Whom it is about; it must be the one that the token proves. */
  readonly recipient: string
  readonly returned: Returned
}

/** A call that claims to bring mail. Its body is read once, either way. */
export type InboundCall = {
  readonly headers: Headers
  /** As it comes. @throws Problem invalid_request where it is cut short. */
  readonly body: AsyncIterable<Uint8Array>
  /** The whole of it, behind `room` octets that are free. @throws Problem payload_too_large; invalid_request where it is cut short. */
  bytes(most: number, room?: number): Promise<Uint8Array<ArrayBuffer>>
}

/** A mail that a service brought: its envelope, and its bytes in pieces. */
export type Brought = {
  /** The reverse path; empty for the null path, and where the service does not tell. */
  readonly from: string
  readonly to: readonly string[]
  readonly raw: readonly Uint8Array[]
}

export type Inbound = {
  /** What its URL ends with. */
  readonly path: 'inbound' | 'inbound/mime'
  /** The status by which the service is told never to bring a mail again. */
  readonly refused: 200 | 403 | 406
  /**
   * Checks that a call comes from the service, and reads what it brings.
   * @throws Problem missing_api_key where it does not prove itself, invalid_request where it cannot be read, payload_too_large.
   */
  read(ctx: Context, provider: Provider, call: InboundCall): Promise<Brought>
}

export type Adapter = {
  /** What it needs to be told at the service, in a sentence for whoever sets it up. */
  readonly setup: string
  /** What is kept of a new one; `shown` is told to its maker once. */
  begin(
    ctx: Context,
    given: { signing_key?: string | null | undefined },
  ): { secrets: Record<string, string>; shown: string | null }
  /**
   * Checks that a call comes from the service, and that it may say what it says.
   * Absent where it tells nothing of mail we sent.
   * @throws Problem invalid_api_key where it does not prove itself, invalid_request where it cannot be read.
   */
  prove?(ctx: Context, provider: Provider, call: Call): Promise<Proven>
  /** Reads what a proven call tells of mail we sent; where it tells nothing of that, nothing. Absent where it tells no such things. */
  readonly events?: (content: unknown) => ProviderEvent[]
  /** Takes mail that it received. Absent where it receives none. */
  readonly inbound?: Inbound
}

/** `settings`: what the call has taught us of the service, to be kept. */
export type Proven = { readonly content: unknown; readonly settings?: Settings }
