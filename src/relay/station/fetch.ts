/** The bytes that a job hands over: out of the store, with the field in front that the relay's provider asks for. */
import { concat, utf8 } from '../../base/bytes.ts'
import { describeError } from '../../base/log.ts'
import type { Context } from '../../context.ts'
import type { Body } from '../../smtp/envelope.ts'
import { type Clock, within } from '../../smtp/pipe.ts'
import { type Content, Gone, hasEightBit, loadStream, loadWhole, MAX_KEPT_BYTES } from '../body.ts'
import type { Judged } from '../judge.ts'
import { alike, type Job } from '../load.ts'

/** The store must not hold up a claim: what it does not give in this time is tried later. */
const LOAD_MS = 60_000

const UNREADABLE = { code: 451, enhanced: '4.3.0', text: 'not sent: the stored message could not be read' }

/** The bytes; undefined where there are none, and then the job is judged by that. */
export async function fetchContent(
  ctx: Context,
  clock: Clock,
  { load, recipients, marker }: Job,
  takesEightBit: boolean,
): Promise<Content | undefined> {
  try {
    const content = await within(clock, LOAD_MS, read(ctx, load, takesEightBit), 'reading the stored message')
    return marker ? marked(content, marker) : content
  } catch (error) {
    load.content = undefined
    ctx.log('warn', 'a message to relay could not be read', { id: load.held.id, error: describeError(error) })
    const judged: Judged =
      error instanceof Gone ? { kind: 'failed', reason: error.message } : { kind: 'deferred', reply: UNREADABLE }
    await load.judge(alike(recipients, judged))
    return undefined
  }
}

/** Begins to read what comes next, so that the line is not idle meanwhile. A failure shows when it is its turn. */
export function prefetch(ctx: Context, { load }: Job): void {
  if (load.held.size > MAX_KEPT_BYTES || load.content) return
  load.content = loadWhole(ctx, load.held)
  load.content.catch(() => undefined)
}

async function read(ctx: Context, load: Job['load'], takesEightBit: boolean): Promise<Content> {
  if (load.held.size <= MAX_KEPT_BYTES) {
    load.content ??= loadWhole(ctx, load.held)
    return load.content
  }
  return loadStream(ctx, load.held, takesEightBit || (await hasEightBit(ctx, load.held)))
}

/** A field before all others breaks no signature over them (RFC 6376 section 3.5: those of `h=` alone are signed). */
function marked(content: Content, marker: string): Content {
  const field = utf8(marker)
  return { ...content, size: content.size + field.length, body: () => withField(field, content.body()) }
}

function withField(field: Uint8Array<ArrayBuffer>, body: Body): Body {
  if (body instanceof Uint8Array) return concat([field, body])
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => controller.enqueue(field),
  })
  body.pipeTo(writable).catch(() => undefined)
  return readable
}
