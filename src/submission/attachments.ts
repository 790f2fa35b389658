/** The attachments of a JSON request: from any of the encodings that clients use, or fetched from a URL, to bytes. */
import { type FieldFault, Problem } from '../base/problem.ts'
import type { Context, GuardedAnswer } from '../context.ts'
import type { SendEmailBody } from '../contract/emails.ts'
import type { Attachment } from '../mail/compose.ts'

type Given = NonNullable<SendEmailBody['attachments']>[number]

/** A URL that gives nothing for so long gives nothing. */
const FETCH_TIMEOUT_MS = 15_000

/** What the attachments of one request may yet come to, and what it has fetched already: the same file for many mails is fetched once. */
export type Allowance = { left: number; readonly fetched: Map<string, GuardedAnswer> }

/** All that one request may have. */
export function allowanceOf(ctx: Context): Allowance {
  return { left: ctx.config.MAX_ATTACHMENT_BYTES, fetched: new Map() }
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
  { left, fetched }: Allowance,
  where: string,
  faults: FieldFault[],
): Promise<Uint8Array | undefined> {
  const request = { url, method: 'GET' as const, headers: {}, timeoutMs: FETCH_TIMEOUT_MS, maxBytes: left + 1 }
  const answer = fetched.get(url) ?? (await ctx.net.fetch(request))
  fetched.set(url, answer)
  if (answer.kind === 'answered' && answer.status === 200) return answer.body
  const why = answer.kind === 'answered' ? `it answered ${answer.status}` : answer.reason
  faults.push({ path: `${where}.path`, reason: `could not be fetched: ${why}` })
  return undefined
}

function nameFromPath(path: string | null | undefined): string | undefined {
  if (!path || !URL.canParse(path)) return undefined
  const last = new URL(path).pathname.split('/').at(-1)
  return last ? decodeURIComponent(last) : undefined
}

function tooLarge(ctx: Context): Problem {
  const mib = Math.floor(ctx.config.MAX_ATTACHMENT_BYTES / 1024 / 1024)
  return new Problem('payload_too_large', `The attachments are larger than ${mib} MiB together.`, {
    fix: 'Send larger mail as raw message/rfc822 by POST /outbound.',
  })
}
