/** Postmark: calls with a secret of ours, as a Basic password in the URL or a header field, whichever is entered there. */
import { parseJson, textAt, valueAt } from '../../base/json.ts'
import { Problem } from '../../base/problem.ts'
import type { Returned } from '../../mail/returned/returned.ts'
import { judgeTold, type ToldClass, toldReply } from '../../mail/returned/told.ts'
import type { Adapter, ProviderEvent } from './adapter.ts'
import { postmarkInbound } from './postmark-inbound.ts'
import { newSecret, showsSecret } from './secret.ts'

export const postmark: Adapter = {
  setup:
    'Add a webhook for deliveries, bounces, spam complaints and subscription changes to the message stream: this URL, with Basic auth of the user `pochta` and the secret as password, or with a header X-Pochta-Secret that has it. For mail that comes to Postmark, enter the inbound URL at an inbound stream as https://pochta:<secret>@…, and switch on “Include raw email content in JSON payload”; use an inbound domain, so that its envelope names the address here.',
  begin: (ctx) => {
    const secret = newSecret(ctx)
    return { secrets: { secret }, shown: secret }
  },
  prove: async (_ctx, { secrets }, { headers, body }) => {
    if (!(await showsSecret(headers, secrets.secret))) {
      throw new Problem('invalid_api_key', 'The secret of this provider is missing or wrong')
    }
    const content = parseJson(body)
    if (content === undefined) throw new Problem('invalid_request', 'The body is not valid JSON in UTF-8.')
    return { content }
  },
  events: (content) => {
    const returned = READERS[textAt(content, 'RecordType')]?.(content)
    return returned ? [told(content, returned)] : []
  },
  inbound: postmarkInbound,
}

function told(content: unknown, returned: Returned): ProviderEvent {
  const metadata = valueAt(content, 'Metadata')
  const names = typeof metadata === 'object' && metadata !== null ? Object.keys(metadata) : []
  return {
    tokens: names.filter((name) => name.toLowerCase() === 'pochta').map((name) => textAt(metadata, name)),
    recipient: textAt(content, 'Recipient') || textAt(content, 'Email'),
    returned,
  }
}

const READERS: Readonly<Record<string, (content: unknown) => Returned | undefined>> = {
  Delivery: (content) => ({ kind: 'delivered', reply: toldReply(textAt(content, 'Details'), '2.0.0') }),
  SpamComplaint: () => ({ kind: 'complained', type: 'abuse' }),
  Bounce: readBounce,
  SubscriptionChange: readSubscriptionChange,
}

/** What its words for a bounce mean, where the server's own say nothing: https://postmarkapp.com/developer/api/bounce-api#bounce-types. */
const BOUNCES: Readonly<Record<string, ToldClass>> = {
  HardBounce: { type: 'Permanent', subType: 'NoEmail' },
  BadEmailAddress: { type: 'Permanent', subType: 'NoEmail' },
  SoftBounce: { type: 'Transient', subType: 'General' },
  DnsError: { type: 'Transient', subType: 'General' },
  Unknown: { type: 'Undetermined', subType: 'General' },
  Blocked: { type: 'Permanent', subType: 'General' },
  DMARCPolicy: { type: 'Permanent', subType: 'General' },
  SpamNotification: { type: 'Permanent', subType: 'ContentRejected' },
  VirusNotification: { type: 'Permanent', subType: 'ContentRejected' },
  ManuallyDeactivated: { type: 'Permanent', subType: 'OnAccountSuppressionList' },
  SMTPApiError: { type: 'Permanent', subType: 'General' },
  TemplateRenderingFailed: { type: 'Permanent', subType: 'General' },
}

/** Those that are not here are no bounces: answers of programs, wishes of list members, mail that came to it. */
function readBounce(content: unknown): Returned | undefined {
  const type = textAt(content, 'Type')
  const said = textAt(content, 'Details')
  if (type === 'SpamComplaint') return { kind: 'complained', type: 'abuse' }
  // It goes on trying.
  if (type === 'Transient') return { kind: 'delayed', reply: toldReply(said, '4.0.0') }
  const known = Object.hasOwn(BOUNCES, type) ? BOUNCES[type] : undefined
  if (!known) return undefined
  return judgeTold({ said, spare: textAt(content, 'Description'), known })
}

/** Whom it does not send to any more. What its customer took off by hand has no message, and so no token. */
function readSubscriptionChange(content: unknown): Returned | undefined {
  if (valueAt(content, 'SuppressSending') !== true) return undefined
  switch (textAt(content, 'SuppressionReason')) {
    case 'HardBounce':
      return judgeTold({ said: '', spare: 'Hard bounce', known: { type: 'Permanent', subType: 'NoEmail' } })
    case 'SpamComplaint':
      return { kind: 'complained', type: 'abuse' }
    case 'ManualSuppression':
      return textAt(content, 'Origin') === 'Recipient' ? { kind: 'complained', type: 'opt-out' } : undefined
    default:
      return undefined
  }
}
