/** Mail that its recipient may end by one click (RFC 8058). */
import { Problem } from '../base/problem.ts'
import type { Caller } from '../context.ts'
import type { Mail } from '../contract/emails.ts'
import { type Address, addressKey } from '../mail/address.ts'
import { makeUnsubscribeLink } from '../record/unsubscribe-link.ts'

/** The name of the list that a mail is for, empty for the one without a name; undefined where it is for none. */
export function listOf({ unsubscribe }: Pick<Mail, 'unsubscribe'>): string | undefined {
  if (!unsubscribe) return undefined
  return unsubscribe === true ? '' : (unsubscribe.list ?? '')
}

/**
 * The fields by which the recipient leaves the list; none where the sender wrote his own, for two would contradict each other.
 * @throws Problem invalid_parameter where there are several recipients: whoever has the link may use it, so each needs his own.
 */
export async function listFields(
  ctx: Caller,
  mail: { id: string; list: string; recipients: readonly Address[]; headers: Mail['headers'] },
): Promise<[name: string, value: string][]> {
  const [recipient, ...others] = mail.recipients
  if (!recipient || others.length > 0) {
    const reason = `goes with one recipient; here are ${mail.recipients.length}`
    throw new Problem('invalid_parameter', `\`unsubscribe\` ${reason}.`, {
      fields: [{ path: 'unsubscribe', reason }],
      fix: 'Send each recipient a mail of his own, up to 100 at once by POST /emails/batch: each needs his own link.',
    })
  }
  if (Object.keys(mail.headers ?? {}).some((name) => /^list-unsubscribe(-post)?$/i.test(name))) return []
  const { id, list } = mail
  const leaving = { account: ctx.account.number, message: id, list, email: addressKey(recipient) }
  return [
    ['List-Unsubscribe', `<${await makeUnsubscribeLink(ctx, leaving)}>`],
    ['List-Unsubscribe-Post', 'List-Unsubscribe=One-Click'],
  ]
}
