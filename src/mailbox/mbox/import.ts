/** Mail is brought in from a file: taken apart as it streams by, read as mail that arrives is, and filed in parts. */
import type * as z from 'zod'
import { notFound, Problem } from '../../base/problem.ts'
import { type Caller, newId, newToken } from '../../context.ts'
import { type ImportMail, MAX_IMPORTED } from '../../contract/mailbox/mbox.ts'
import { Fingerprint } from '../../mail/fingerprint.ts'
import { type MboxMessage, MboxReader } from '../../mail/mbox.ts'
import { MimeIntake } from '../../mail/mime/indexer.ts'
import { readMessage } from '../../mail/mime/read.ts'
import { describe } from '../../record/described.ts'
import { findMailbox, type Mailbox } from '../../store/mail/boxes.ts'
import { type NewMessage, wouldFit } from '../../store/mail/filing.ts'
import { RECEIVED } from '../../store/mail/shapes.ts'
import { fileImported, findKnown } from '../../store/mailbox/importing.ts'
import { deleteRaw, putPieces, rawKey } from '../../store/objects.ts'
import { nothingStored, settle } from '../../store/settle.ts'
import { keywordsOf } from './keywords.ts'

type Answer = z.output<(typeof ImportMail)['answer']>

/** What a request can carry on this platform; a larger file is sent in parts. */
const MAX_FILE = 100 * 1024 * 1024

/** Messages filed by one batch, and the octets of them that are held in memory together. */
const MAX_GROUP = 25
const MAX_GROUP_BYTES = 4 * 1024 * 1024

const MAX_REFUSALS = 1000

const RACES = 5

/** Refused is told, not thrown: the rest of the file is good. @throws Problem not_found, invalid_request (no mbox), payload_too_large (the file), service_unavailable. */
export async function importMail(
  ctx: Caller,
  name: string,
  file: { type: string; body: ReadableStream<Uint8Array> | null },
): Promise<Answer> {
  const box = await findMailbox(ctx.stores, ctx.account, name)
  if (!box) throw notFound('Mailbox')
  const max = ctx.config.MAX_MESSAGE_BYTES
  const stream = file.body ?? new Blob([]).stream()
  const messages = file.type.startsWith('message/rfc822') ? one(stream, max) : each(stream, max)
  const bringing = new Bringing(ctx, box)
  for await (const message of messages) {
    await bringing.add(message)
    if (bringing.answer.has_more) return bringing.answer
  }
  await bringing.flush()
  return bringing.answer
}

async function* one(stream: ReadableStream<Uint8Array>, max: number): AsyncGenerator<MboxMessage> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > max) throw tooLarge(max)
    pieces.push(chunk)
  }
  if (size === 0) throw new Problem('invalid_request', 'The body is empty: send the message as message/rfc822.')
  yield { sender: '', size, pieces }
}

async function* each(stream: ReadableStream<Uint8Array>, max: number): AsyncGenerator<MboxMessage> {
  const reader = new MboxReader(max)
  let size = 0
  let found = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > MAX_FILE) throw tooLarge(MAX_FILE)
    const messages = reader.write(chunk)
    found += messages.length
    yield* messages
    if (reader.strange) throw noMbox()
  }
  const last = reader.end()
  if (reader.strange || found + last.length === 0) throw noMbox()
  yield* last
}

type Ready = { index: number; message: NewMessage; pieces: Uint8Array[]; id: string | undefined }

/** One request's work: messages are read one by one and filed in groups. */
class Bringing {
  readonly answer: Answer = { object: 'import', imported: 0, duplicates: 0, refused: [], has_more: false }
  private readonly ctx: Caller
  private readonly box: Mailbox
  private group: Ready[] = []
  private index = 0
  private full = false

  constructor(ctx: Caller, box: Mailbox) {
    this.ctx = ctx
    this.box = box
  }

  async add(given: MboxMessage): Promise<void> {
    const index = this.index++
    if (!given.pieces) return this.refuse(index, `is larger than ${this.ctx.config.MAX_MESSAGE_BYTES} bytes`)
    if (given.ours?.missing) return this.refuse(index, 'was missing when the file was written')
    if (given.size === 0) return this.refuse(index, 'is empty')
    this.group.push(await this.read(index, given, given.pieces))
    const held = this.group.reduce((sum, { message }) => sum + message.size, 0)
    if (this.group.length >= MAX_GROUP || held >= MAX_GROUP_BYTES) await this.flush()
  }

  /** Files the group: what is there already is left alone, and what is twice in the file comes once. */
  async flush(): Promise<void> {
    const { ctx, group } = this
    this.group = []
    for (let races = 0; races < RACES; races++) {
      const fresh = await this.unknown(group)
      if (fresh.length === 0 || this.full) {
        for (const { index } of fresh) this.refuse(index, FULL)
        this.answer.duplicates += group.length - fresh.length
        return
      }
      for (const { message, pieces } of fresh) await putPieces(ctx.stores, message.rawKey, pieces)
      if (await this.file(fresh.map(({ message }) => message))) {
        this.answer.imported += fresh.length
        this.answer.duplicates += group.length - fresh.length
        this.answer.has_more = this.answer.imported >= MAX_IMPORTED
        return
      }
      await deleteRaw(
        ctx.stores,
        fresh.map(({ message }) => message.rawKey),
      )
      const bytes = fresh.reduce((sum, { message }) => sum + message.size, 0)
      this.full = (await wouldFit(ctx.stores, ctx.account, { bytes, sends: 0, now: ctx.now() })) === 'full'
      if (!(await findMailbox(ctx.stores, ctx.account, this.box.id))) throw notFound('Mailbox')
    }
    throw nothingStored()
  }

  /** As mail that arrives is read; without a Message-ID it is known by all of its bytes, so that it comes once all the same. */
  private async read(index: number, given: MboxMessage, pieces: Uint8Array[]): Promise<Ready> {
    const { ctx, box } = this
    const now = ctx.now()
    const id = newId(ctx)
    const intake = new MimeIntake()
    for (const piece of pieces) intake.write(piece)
    const indexed = intake.end()
    const read = readMessage(indexed)
    const dedupe = read.messageId === undefined ? wholeHash(pieces) : indexed.fingerprint('')
    const message: NewMessage = {
      ...(await describe(indexed, read, { account: ctx.account.number, id: `import:${dedupe}` })),
      id,
      direction: RECEIVED,
      createdAt: now,
      mailbox: box.number,
      keywords: keywordsOf(given.ours, read.headers),
      dedupe,
      sender: /^[!-~]{1,320}@[!-~]{1,255}$/.test(given.sender) ? given.sender : '',
      recipient: null,
      address: null,
      tag: null,
      rawKey: rawKey(ctx.account.number, id, Math.floor(now / 86_400_000), newToken(ctx)),
      verdicts: null,
      tags: [],
      recipients: null,
      lastEvent: null,
      due: null,
    }
    return { index, message, pieces, id: given.ours?.id }
  }

  private async unknown(group: readonly Ready[]): Promise<Ready[]> {
    const { ctx } = this
    const wanted = group.map(({ message, id }) => ({ ...message, id: id ?? '' }))
    const known = wanted.length > 0 ? await findKnown(ctx.stores, ctx.account, wanted) : new Set()
    const names = new Set<string>()
    return group.filter(({ message }, place) => {
      const name = `${message.msgidHash} ${message.dedupe}`
      if (known.has(place) || names.has(name)) return false
      names.add(name)
      return true
    })
  }

  private async file(messages: NewMessage[]): Promise<boolean> {
    const { ctx, box } = this
    const done = await settle<{ listeners: number } | 'refused'>(
      async () => {
        const stamp = { now: ctx.now(), token: newToken(ctx) }
        return (await fileImported(ctx.stores, ctx.account, messages, box, stamp)) ?? 'refused'
      },
      async () => ((await this.areThere(messages)) ? { listeners: 1 } : undefined),
    )
    if (done === 'refused') return this.areThere(messages)
    if (done.listeners > 0) ctx.wake.webhooks(ctx.account)
    return true
  }

  /** By their ids, which no other import has. */
  private async areThere(messages: readonly NewMessage[]): Promise<boolean> {
    const ids = messages.map(({ id }) => ({ id, msgidHash: '', dedupe: '' }))
    return (await findKnown(this.ctx.stores, this.ctx.account, ids)).size === messages.length
  }

  private refuse(index: number, reason: string): void {
    if (this.answer.refused.length < MAX_REFUSALS) this.answer.refused.push({ index, reason })
  }
}

function wholeHash(pieces: readonly Uint8Array[]): string {
  const hash = new Fingerprint()
  for (const piece of pieces) hash.addBody(piece)
  return hash.end()('')
}

const FULL = 'the account’s storage is full'

function noMbox(): Problem {
  return new Problem('invalid_request', 'The body is no mbox file: it must begin with a line `From sender date`.', {
    fix: 'Send one message with Content-Type: message/rfc822.',
  })
}

function tooLarge(max: number): Problem {
  return new Problem('payload_too_large', `The file is larger than ${max} bytes.`, {
    fix: 'Split it between two messages; what is there already is left alone.',
  })
}
