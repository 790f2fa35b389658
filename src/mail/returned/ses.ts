/** What Amazon SES tells of mail it sent: its events, whichever way they come. https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html */
import { listAt, textAt } from '../../base/json.ts'
import { isComplaint } from './arf.ts'
import type { Returned } from './returned.ts'
import { judgeTold, type ToldClass, toldReply } from './told.ts'

/** What it says of one recipient. */
type Told = { recipient: string; returned: Returned }

/** Reads one event: of each recipient it is about; nothing where it says nothing of a delivery. */
export function readSesEvent(content: unknown): Told[] {
  const type = textAt(content, 'eventType') || textAt(content, 'notificationType')
  return (Object.hasOwn(READERS, type) ? READERS[type]?.(content) : undefined) ?? []
}

/** A mail of ours has one recipient each, and SES takes fifty; what is more is made up. */
const MOST = 50

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
