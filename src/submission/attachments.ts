/** The attachments of a JSON request: from any of the encodings that clients use, or fetched from a URL, to bytes. */
import { type FieldFault, Problem } from '../base/problem.ts'
import type { Context, GuardedAnswer } from '../context.ts'
import type { SendEmailBody } from '../contract/emails.ts'
import type { Attachment } from '../mail/compose.ts'

type Given = NonNullable<SendEmailBody['attachments']>[number]

/** A URL that gives nothing for so long gives nothing. */
const FETCH_TIMEOUT_MS = 15_000

/** All of a request's URLs together: a hundred that each give nothing for so long would hold it for half an hour. */
const ALL_FETCHES_MS = 45_000

/** What the attachments of one request may yet come to, what it has fetched already (the same file for many mails is fetched once), and until when (ms) it may fetch. */
export type Allowance = { left: number; readonly fetched: Map<string, GuardedAnswer>; readonly fetchUntil: number }

/** All that one request may have. */
export function allowanceOf(ctx: Context): Allowance {
  return { left: ctx.config.MAX_ATTACHMENT_BYTES, fetched: new Map(), fetchUntil: ctx.now() + ALL_FETCHES_MS }
}

/** Decodes or fetches every attachment. @throws Problem invalid_attachment naming each at fault, payload_too_large. */
export async function readAttachments(ctx: Context, given: Given[], allowance: Allowance): Promise<Attachment[]> {
  const faults: FieldFault[] = []
  const read: Attachment[] = []
  for (const [at, attachment] of given.entries()) {
    const content = await contentOf(ctx, attachment, allowance, `attachments[${at}]`, faults)
    if (!content) continue
    allowance.left -= content.length
    if (allowance.left < 0) throw tooLarge(ctx)
    read.push(described(attachment, content))
  }
  const first = faults[0]
  if (first) throw new Problem('invalid_attachment', `Invalid \`${first.path}\`: ${first.reason}`, { fields: faults })
  return read
}

function described(attachment: Given, content: Uint8Array): Attachment {
  const contentId = (attachment.content_id ?? attachment.inline_content_id)?.replace(/^<(.*)>$/, '$1')
  return {
    content,
    filename: attachment.filename === false ? undefined : (attachment.filename ?? nameFromPath(attachment.path)),
    ...(attachment.content_type ? { contentType: attachment.content_type } : {}),
    ...(contentId ? { contentId, disposition: 'inline' } : {}),
  }
}

async function contentOf(
  ctx: Context,
  { content, path }: Given,
  allowance: Allowance,
  where: string,
  faults: FieldFault[],
): Promise<Uint8Array | undefined> {
  if (content !== null && content !== undefined) {
    if (path) faults.push({ path: `${where}.path`, reason: 'cannot stand beside `content`' })
    const bytes = decode(content)
    if (!bytes) faults.push({ path: `${where}.content`, reason: 'is not base64' })
    return bytes
  }
  if (path) return fetchContent(ctx, path, allowance, where, faults)
  faults.push({ path: where, reason: 'needs `content` or `path`' })
  return undefined
}

function decode(content: NonNullable<Given['content']>): Uint8Array | undefined {
  if (Array.isArray(content)) return Uint8Array.from(content)
  if (typeof content === 'object') return Uint8Array.from(content.data)
  try {
    return Uint8Array.from(
      atob(
        content
          .replace(/^data:[^,]{0,200},/, '')
          .replace(/-/g, '+')
          .replace(/_/g, '/'),
      ),
      (c) => c.charCodeAt(0),
    )
  } catch {
    return undefined
  }
}

async function fetchContent(
  ctx: Context,
  url: string,
  { left, fetched, fetchUntil }: Allowance,
  where: string,
  faults: FieldFault[],
): Promise<Uint8Array | undefined> {
  const timeoutMs = Math.min(FETCH_TIMEOUT_MS, fetchUntil - ctx.now())
  const request = { url, method: 'GET' as const, headers: {}, timeoutMs, maxBytes: left + 1 }
  const answer = fetched.get(url) ?? (timeoutMs > 0 ? await ctx.net.fetch(request) : TOO_LATE)
  fetched.set(url, answer)
  if (answer.kind === 'answered' && answer.status === 200) return answer.body
  const why = answer.kind === 'answered' ? `it answered ${answer.status}` : answer.reason
  faults.push({ path: `${where}.path`, reason: `could not be fetched: ${why}` })
  return undefined
}

const TOO_LATE = { kind: 'failed', reason: 'the URLs before it took too long', timeout: true } as const

function nameFromPath(path: string | null | undefined): string | undefined {
  if (!path || !URL.canParse(path)) return undefined
  const last = new URL(path).pathname.split('/').at(-1)
  if (!last) return undefined
  try {
    return decodeURIComponent(last)
  } catch {
    // A path may hold a percent sign that encodes nothing.
    return last
  }
}

function tooLarge(ctx: Context): Problem {
  const mib = Math.floor(ctx.config.MAX_ATTACHMENT_BYTES / 1024 / 1024)
  return new Problem('payload_too_large', `The attachments are larger than ${mib} MiB together.`, {
    fix: 'Send larger mail as raw message/rfc822 by POST /outbound.',
  })
}
