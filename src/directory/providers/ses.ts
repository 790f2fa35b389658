/** Amazon SES: its events come by SNS, signed, from the one topic that the provider is bound to. */
import { utf8 } from '../../base/bytes.ts'
import { listAt, parseJson, textAt, valueAt } from '../../base/json.ts'
import { Problem } from '../../base/problem.ts'
import { isComplaint } from '../../mail/returned/arf.ts'
import type { Returned } from '../../mail/returned/returned.ts'
import { judgeTold, type ToldClass, toldReply } from '../../mail/returned/told.ts'
import type { Adapter, ProviderEvent } from './adapter.ts'
import { confirmSubscription, readSns } from './sns.ts'

export const ses: Adapter = {
  setup:
    'Publish the events of a configuration set to an SNS topic, and subscribe this URL to it by HTTPS, with raw message delivery off. The subscription is confirmed by itself; the first topic that asks is the one that is believed.',
  begin: () => ({ secrets: {}, shown: null }),
  prove: async (ctx, { settings }, { body }) => {
    const { type, topic, message, ...sns } = await readSns(ctx, body, settings.topic_arn)
    if (type === 'SubscriptionConfirmation') await confirmSubscription(ctx, { type, topic, message, ...sns })
    if (settings.topic_arn === undefined && type === 'SubscriptionConfirmation') {
      return { content: undefined, settings: { ...settings, topic_arn: topic } }
    }
    if (type !== 'Notification') return { content: undefined }
    if (settings.topic_arn === undefined) {
      // Bound a moment ago elsewhere, perhaps: SNS comes again with it.
      throw new Problem('service_unavailable', 'No topic is bound to this provider yet.', { retryAfter: 60 })
    }
    return { content: parseJson(utf8(message)) }
  },
  events: (content) => {
    const type = textAt(content, 'eventType') || textAt(content, 'notificationType')
    const tokens = tokensOf(valueAt(content, 'mail'))
    const reader = Object.hasOwn(READERS, type) ? READERS[type] : undefined
    return (reader?.(content) ?? []).map((event) => ({ tokens, ...event }))
  },
}

/** A mail of ours has one recipient each, and SES takes fifty; what is more is made up. */
const MOST = 50

/** The places of our token: the message tag, the sender, which is the envelope's, and the field that set the tag. */
function tokensOf(mail: unknown): string[] {
  const headers = listAt(200, mail, 'headers')
  const tag = headers.find((header) => textAt(header, 'name').toLowerCase() === 'x-ses-message-tags')
  const tagged = /(?:^|[,\s])pochta=([\w-]{1,256})/.exec(textAt(tag, 'value').slice(0, 2000))?.[1]
  return [
    textAt(mail, 'tags', 'pochta', 0),
    textAt(mail, 'source'),
    textAt(mail, 'commonHeaders', 'returnPath'),
    tagged ?? '',
  ].filter((token) => token !== '')
}

type Told = Omit<ProviderEvent, 'tokens'>

/** Opens, clicks and the like say nothing of the delivery. */
const READERS: Readonly<Record<string, (content: unknown) => Told[]>> = {
  Delivery: (content) => {
    const returned: Returned = {
      kind: 'delivered',
      reply: toldReply(textAt(content, 'delivery', 'smtpResponse'), '2.0.0'),
    }
    return listAt(MOST, content, 'delivery', 'recipients').map((address) => ({ recipient: String(address), returned }))
  },
  Bounce: (content) => {
    const known = classOf(textAt(content, 'bounce', 'bounceType'), textAt(content, 'bounce', 'bounceSubType'))
    return listAt(MOST, content, 'bounce', 'bouncedRecipients').map((bounced) => ({
      recipient: textAt(bounced, 'emailAddress'),
      returned: readBounce(bounced, known),
    }))
  },
  DeliveryDelay: (content) =>
    listAt(MOST, content, 'deliveryDelay', 'delayedRecipients').map((delayed) => ({
      recipient: textAt(delayed, 'emailAddress'),
      returned: {
        kind: 'delayed',
        reply: toldReply(
          textAt(delayed, 'diagnosticCode') || textAt(content, 'deliveryDelay', 'delayType'),
          textAt(delayed, 'status') || '4.0.0',
        ),
      },
    })),
  Complaint: (content) => {
    const returned = readComplaint(content)
    return listAt(MOST, content, 'complaint', 'complainedRecipients').map((complained) => ({
      recipient: textAt(complained, 'emailAddress'),
      returned,
    }))
  },
  Reject: (content) => refused(content, textAt(content, 'reject', 'reason'), 'ContentRejected'),
  'Rendering Failure': (content) => refused(content, textAt(content, 'failure', 'errorMessage'), 'General'),
}

/** SES's own words for a bounce, where the server's say nothing: the table of bounce types in its guide. */
const SUBTYPES: Readonly<Record<string, ToldClass['subType']>> = {
  NoEmail: 'NoEmail',
  Suppressed: 'Suppressed',
  OnAccountSuppressionList: 'OnAccountSuppressionList',
  UnsubscribedRecipient: 'OnAccountSuppressionList',
  MailboxFull: 'MailboxFull',
  MessageTooLarge: 'MessageTooLarge',
  ContentRejected: 'ContentRejected',
  AttachmentRejected: 'AttachmentRejected',
}

function classOf(type: string, subType: string): ToldClass {
  const known = Object.hasOwn(SUBTYPES, subType) ? SUBTYPES[subType] : undefined
  return {
    type: type === 'Permanent' || type === 'Transient' ? type : 'Undetermined',
    subType: known ?? 'General',
  }
}

function readBounce(bounced: unknown, known: ToldClass): Returned {
  const said = textAt(bounced, 'diagnosticCode')
  const status = textAt(bounced, 'status')
  // Its lists speak for themselves: the code beside them is one that SES made up.
  const listed = known.subType === 'Suppressed' || known.subType === 'OnAccountSuppressionList'
  if (listed) return judgeTold({ said: '', spare: said, known })
  return judgeTold({ said, ...(status ? { status } : {}), spare: `${known.type} ${known.subType}`, known })
}

/** A complaint of no type is one; those that SES makes of its own list are mail that was not sent. */
function readComplaint(content: unknown): Returned {
  if (textAt(content, 'complaint', 'complaintSubType') === 'OnAccountSuppressionList') {
    const known: ToldClass = { type: 'Permanent', subType: 'OnAccountSuppressionList' }
    return judgeTold({ said: '', spare: 'The address is on the suppression list of the SES account.', known })
  }
  const type = textAt(content, 'complaint', 'complaintFeedbackType').toLowerCase()
  return isComplaint(type) ? { kind: 'complained', type: type || 'abuse' } : { kind: 'nothing', why: 'not-a-complaint' }
}

function refused(content: unknown, spare: string, subType: ToldClass['subType']): Told[] {
  const returned = judgeTold({ said: '', spare, known: { type: 'Permanent', subType } })
  return listAt(MOST, content, 'mail', 'destination').map((address) => ({ recipient: String(address), returned }))
}
