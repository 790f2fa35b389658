/**
 * Readers' complaints (RFC 5965) that come to an address of ours: a mailbox provider sends all of them to the one that
 * was registered with it, not to the return path of the mail it tells of. That is quoted in the report.
 */
import { latin1 } from '../base/bytes.ts'
import { type Context, newId, newToken } from '../context.ts'
import type { Indexed } from '../mail/mime/indexer.ts'
import { allParts } from '../mail/mime/parts.ts'
import { tokensIn } from '../mail/returned/verp.ts'
import { bounceKey, copyRaw, deleteRaw, getRaw } from '../store/objects.ts'
import { bounceOf, oweReading } from './bounces.ts'

/** The report and the fields of the mail stand at the start; what comes after is the mail itself. */
const MAX_READ = 256 * 1024

/** Owes the feedback stage a complaint about mail of ours; the report itself is filed as any mail is. */
export async function noteComplaint(
  ctx: Context,
  report: { indexed: Indexed; key: string; from: string },
): Promise<void> {
  if (!allParts(report.indexed.root).some(({ type }) => type === 'message/feedback-report')) return
  const stored = await getRaw(ctx.stores, report.key, { start: 0, end: MAX_READ })
  const start = stored ? latin1(new Uint8Array(await stored.arrayBuffer())) : ''
  for (const token of tokensIn(start)) {
    const about = await bounceOf(ctx, token)
    if (!about) continue
    const id = newId(ctx)
    const key = bounceKey(about.account.number, id, newToken(ctx))
    await copyRaw(ctx.stores, report.key, key)
    if (!(await oweReading(ctx, about, { id, key, from: report.from }))) await deleteRaw(ctx.stores, [key])
    return
  }
}
