/**
 * Reads what came back to our return paths and applies it to the mail that was sent. Each step may be repeated: the row
 * changes once, then the bytes go, then the task; a crash between any two is made good when the claim has lapsed.
 */
import { concat } from '../base/bytes.ts'
import { describeError } from '../base/log.ts'
import { type Context, newToken } from '../context.ts'
import { findAccountByNumber } from '../directory/accounts.ts'
import { MAX_PARSED_BYTES } from '../mail/mime/skeleton.ts'
import { readReturned } from '../mail/returned/returned.ts'
import { claimFeedback, type FeedbackState, type FeedbackTask } from '../store/mail/feedback-tasks.ts'
import { finishTask, postponeTask } from '../store/mail/tasks.ts'
import { deleteRaw, getRaw } from '../store/objects.ts'
import { type AccountRef, mailOf } from '../store/stores.ts'
import { recordReturned, toldOf } from './record.ts'

/** Claimed together, and read four at a time: an invocation has six connections that may wait. */
const GROUP = 20
const AT_ONCE = 4

/** A tick ends after so many reports, or so long: the next one follows within a minute. */
const MOST_A_TICK = 400
const TICK_MS = 20_000

/** Twenty reports of 2 MiB take seconds; a dead invocation's are taken up again after this. */
const CLAIM_MS = 3 * 60_000

/** Counted when claimed, so that a report which kills its reader is let go too. With the pauses below: four days. */
const MAX_ATTEMPTS = 20
const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 6 * 3_600_000

/** Takes up what came back and is due, in every mail database; trouble with one holds up no other. */
export async function sweepFeedback(ctx: Context): Promise<void> {
  const changed = new Map<number, AccountRef>()
  const share = TICK_MS / ctx.stores.mail.size
  for (const mailDb of ctx.stores.mail.keys()) {
    try {
      await sweepDatabase(ctx, mailDb, share, changed)
    } catch (error) {
      ctx.log('warn', 'feedback was not swept', { database: mailDb, error: describeError(error) })
    }
  }
  for (const account of changed.values()) ctx.wake.webhooks(account)
}

async function sweepDatabase(
  ctx: Context,
  mailDb: string,
  share: number,
  changed: Map<number, AccountRef>,
): Promise<void> {
  const began = ctx.now()
  for (let left = MOST_A_TICK; left > 0 && ctx.now() - began < share; left -= GROUP) {
    const claim = { token: newToken(ctx), now: ctx.now(), until: ctx.now() + CLAIM_MS, limit: GROUP }
    const tasks = await claimFeedback(ctx.stores, mailDb, claim)
    for (let at = 0; at < tasks.length; at += AT_ONCE) {
      const taken = await Promise.all(tasks.slice(at, at + AT_ONCE).map((task) => take(ctx, mailDb, task)))
      for (const account of taken) if (account) changed.set(account.number, account)
    }
    if (tasks.length < GROUP) return
  }
}

/** Sees one task through, or puts it off; answers the account where someone listens to what changed. Never rejects. */
async function take(ctx: Context, mailDb: string, { task, state }: FeedbackTask): Promise<AccountRef | undefined> {
  const db = mailOf(ctx.stores, { mailDb })
  const about = { task: task.ref, account: task.account, attempts: task.attempts }
  try {
    const hopeless = state === undefined || task.attempts > MAX_ATTEMPTS
    if (hopeless) ctx.log('error', 'feedback was given up', about)
    const account = hopeless ? undefined : await apply(ctx, mailDb, task.account, state)
    // The bytes before the task: without it nobody would know of them.
    if (state && 'key' in state) await deleteRaw(ctx.stores, [state.key])
    await finishTask(db, task)
    return account
  } catch (error) {
    ctx.log('warn', 'feedback was put off', { ...about, error: describeError(error) })
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (task.attempts - 1))
    // Where this fails too, the claim lapses.
    await postponeTask(db, task, { due: ctx.now() + pause }).catch(() => false)
    return undefined
  }
}

async function apply(
  ctx: Context,
  mailDb: string,
  account: number,
  state: FeedbackState,
): Promise<AccountRef | undefined> {
  const place = { mailDb, account }
  if ('told' in state) {
    const told = await placeOf(ctx, place, state.sender)
    return told && recordReturned(ctx, told, state, (address) => toldOf(address, state.told))
  }
  const raw = await readStart(ctx, state.key)
  if (!raw) return undefined
  return recordReturned(ctx, place, state, (recipient) => readReturned(raw, { recipient, from: state.from }))
}

/** Where the mail lies; undefined where its account is gone. @throws Problem while that account is being moved: it is asked again. */
async function placeOf(
  ctx: Context,
  own: { mailDb: string; account: number },
  sender: number | undefined,
): Promise<{ mailDb: string; account: number } | undefined> {
  if (sender === undefined || sender === own.account) return own
  const found = await findAccountByNumber(ctx, sender)
  return found && { mailDb: found.mailDb, account: found.number }
}

/** As much of the bytes as is ever parsed; undefined where they are gone, and so were read before. */
async function readStart(ctx: Context, key: string): Promise<Uint8Array | undefined> {
  const object = await getRaw(ctx.stores, key)
  if (!object) return undefined
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of object.body) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= MAX_PARSED_BYTES) break
  }
  return concat(chunks).subarray(0, MAX_PARSED_BYTES)
}
