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
export type Settings = { readonly topic_arn?: string }

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

export type Adapter = {
  /** What it needs to be told at the service, in a sentence for whoever sets it up. */
  readonly setup: string
  /** What is kept of a new one; `shown` is told to its maker once. */
  begin(ctx: Context): { secrets: Record<string, string>; shown: string | null }
  /**
   * Checks that a call comes from the service, and that it may say what it says.
   * @throws Problem invalid_api_key where it does not prove itself, invalid_request where it cannot be read.
   */
  prove(ctx: Context, provider: Provider, call: Call): Promise<Proven>
  /** Reads what a proven call tells of mail we sent; where it tells nothing of that, nothing. Absent where it tells no such things. */
  readonly events?: (content: unknown) => ProviderEvent[]
}

/** `settings`: what the call has taught us of the service, to be kept. */
export type Proven = { readonly content: unknown; readonly settings?: Settings }
