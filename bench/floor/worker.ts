/** The floor: the least a mail service can do with a request's bytes, one put in R2 and then one insert in D1. */

/** The part of D1 and R2 that is used here. */
type Env = {
  DB: { prepare(query: string): { bind(...values: unknown[]): { run(): Promise<unknown> } } }
  RAW: {
    put(key: string, bytes: ArrayBuffer | ReadableStream): Promise<unknown>
    get(key: string): Promise<{ body: ReadableStream } | null>
  }
}

/** What is larger stands in R2 alone, because a row holds 2 MB at most and nobody would put a mail's attachments there. */
const MAX_ROW_BYTES = 64 * 1024

const TABLE = 'CREATE TABLE IF NOT EXISTS mails (key TEXT PRIMARY KEY, size INTEGER, bytes BLOB) WITHOUT ROWID'

const floor = {
  /** PUT makes the table; POST keeps the body; GET gives it back. */
  async fetch(request: Request, env: Env): Promise<Response> {
    if (request.method === 'PUT') {
      await env.DB.prepare(TABLE).bind().run()
      return Response.json({ made: true })
    }
    const [, folder, wanted = ''] = new URL(request.url).pathname.split('/')
    if (request.method === 'GET' && folder === 'mails') {
      const kept = await env.RAW.get(wanted)
      return new Response(kept?.body ?? null, { status: kept ? 200 : 404 })
    }
    if (request.method !== 'POST' || !request.body) return new Response('not found', { status: 404 })
    const size = Number(request.headers.get('content-length'))
    const key = crypto.randomUUID()
    const small = size <= MAX_ROW_BYTES ? await request.arrayBuffer() : undefined
    await env.RAW.put(key, small ?? request.body)
    await env.DB.prepare('INSERT INTO mails (key, size, bytes) VALUES (?, ?, ?)')
      .bind(key, size, small ?? null)
      .run()
    return Response.json({ key })
  },
}

export default floor
