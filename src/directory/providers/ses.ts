/** Amazon SES: its events come by SNS, signed, from the one topic that the provider is bound to. */
import { utf8 } from '../../base/bytes.ts'
import { listAt, parseJson, textAt, valueAt } from '../../base/json.ts'
import { Problem } from '../../base/problem.ts'
import { readSesEvent } from '../../mail/returned/ses.ts'
import type { Adapter } from './adapter.ts'
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
    const tokens = tokensOf(valueAt(content, 'mail'))
    return readSesEvent(content).map((event) => ({ tokens, ...event }))
  },
}

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
