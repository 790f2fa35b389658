/** Every route, for the app and for the published description. */
import type { Bound } from '../route.ts'
import { accounts } from './directory/accounts.ts'
import { addresses } from './directory/addresses.ts'
import { apiKeys } from './directory/api-keys.ts'
import { domains } from './directory/domains.ts'
import { forwardTargets } from './directory/forward-targets.ts'
import { providers } from './directory/providers.ts'
import { relays } from './directory/relays.ts'
import { rules } from './directory/rules.ts'
import { docs } from './docs.ts'
import { emailsRead } from './emails-read.ts'
import { events } from './events.ts'
import { health } from './health.ts'
import { inbound } from './inbound.ts'
import { links } from './links.ts'
import { drafts } from './mailbox/drafts.ts'
import { mailboxes } from './mailbox/mailboxes.ts'
import { mbox } from './mailbox/mbox.ts'
import { redelivery } from './mailbox/redelivery.ts'
import { threads } from './mailbox/threads.ts'
import { messages } from './messages.ts'
import { receiving } from './receiving.ts'
import { answers } from './sending/answers.ts'
import { sending } from './sending/emails.ts'
import { templates } from './sending/templates.ts'
import { unsubscribes } from './sending/unsubscribes.ts'
import { suppressions } from './suppressions.ts'
import { webhooks } from './webhooks.ts'

export const routes: readonly Bound[] = [
  ...health,
  ...docs(() => routes),
  ...accounts,
  ...domains,
  ...addresses,
  ...forwardTargets,
  ...apiKeys,
  ...relays,
  ...providers,
  ...inbound,
  ...sending,
  ...answers,
  ...drafts,
  ...unsubscribes,
  ...templates,
  ...emailsRead,
  ...receiving,
  ...messages,
  ...mailboxes,
  ...mbox,
  ...threads,
  ...redelivery,
  ...links,
  ...suppressions,
  ...rules,
  ...webhooks,
  ...events,
]
