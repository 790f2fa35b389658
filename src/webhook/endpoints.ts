/** Endpoints: made, shown, changed, and given new secrets. */
import { notFound, Problem } from '../base/problem.ts'
import { seal, unseal } from '../base/seal.ts'
import { readTarget } from '../base/target.ts'
import { type Caller, type Context, newId } from '../context.ts'
import type { CreateWebhookBody, UpdateWebhookBody } from '../contract/webhooks.ts'
import { isoTime } from '../record/email-event.ts'
import { keeping, recall } from '../record/once.ts'
import { cutPage, listOf, readPage } from '../record/page.ts'
import type { Once } from '../store/idempotency.ts'
import type { WebhookRow } from '../store/mail/webhooks.ts'
import * as rows from '../store/mail/webhooks.ts'
import { settle } from '../store/settle.ts'
import { mailOf } from '../store/stores.ts'
import { makeSecret, SECRET_BYTES } from './sign.ts'

/** Each is looked at for every event; who needs more can fan out behind one. */
const MOST_ENDPOINTS = 20

/** How long the secret before a rotation still signs too. */
const PREVIOUS_SIGNS_MS = 24 * 3_600_000

export type WithSecret = { object: 'webhook'; id: string; signing_secret: string }

/** Makes an endpoint. @throws Problem validation_error where its URL may not be called, or there are too many. */
export async function createWebhook(ctx: Caller, body: CreateWebhookBody, once?: Once): Promise<WithSecret> {
  const { stores, account } = ctx
  return answerOnce(ctx, once, 201, async () => {
    const url = await checkUrl(ctx, body.endpoint)
    const id = newId(ctx)
    const secret = makeSecret(ctx.random(SECRET_BYTES))
    const row = {
      id,
      url,
      types: [...new Set(body.events)],
      payload: body.payload ?? ('thin' as const),
      secret: await seal(ctx.keyring, place(account.number, id), secret, ctx.random(12)),
      createdAt: ctx.now(),
    }
    return {
      answer: { object: 'webhook', id, signing_secret: secret },
      write: (kept) => rows.insertWebhook(stores, account, row, MOST_ENDPOINTS, kept),
      isWritten: async () => (await rows.findWebhook(stores, account, id)) !== undefined,
      refusal: () =>
        new Problem('validation_error', `An account has at most ${MOST_ENDPOINTS} webhooks.`, {
          fix: 'Delete one that is not needed, or ask for more events at one.',
        }),
    }
  })
}

/** A page of the account's endpoints, newest first. */
export async function listWebhooks(ctx: Caller, query: { limit: number; after?: string; before?: string }) {
  const all = await rows.listWebhooks(ctx.stores, ctx.account)
  const { rows: page, more } = cutPage(all, readPage(query))
  return listOf(page.map(summary), more)
}

/** One endpoint with its secret, as Resend shows it. @throws Problem not_found. */
export async function getWebhook(ctx: Caller, id: string) {
  const row = await findWebhook(ctx, id)
  const [secret = ''] = await secretsOf(ctx, ctx.account.number, row)
  return { object: 'webhook' as const, ...summary(row), signing_secret: secret }
}

/** Changes an endpoint. @throws Problem not_found, validation_error. */
export async function updateWebhook(ctx: Caller, id: string, body: UpdateWebhookBody) {
  const update = {
    ...(body.endpoint ? { url: await checkUrl(ctx, body.endpoint) } : {}),
    ...(body.events ? { types: [...new Set(body.events)] } : {}),
    ...(body.payload ? { payload: body.payload } : {}),
    ...(body.status ? { status: body.status } : {}),
  }
  const found = await rows.updateWebhook(ctx.stores, ctx.account, id, update)
  if (!found) throw notFound('Webhook')
  if (body.status === 'enabled') ctx.wake.webhooks(ctx.account)
  return { object: 'webhook' as const, id }
}

/** @throws Problem not_found. */
export async function deleteWebhook(ctx: Caller, id: string) {
  if (!(await rows.deleteWebhook(ctx.stores, ctx.account, id))) throw notFound('Webhook')
  return { object: 'webhook' as const, id, deleted: true as const }
}

/** Puts a new secret in force; the one before it signs too for 24 hours. @throws Problem not_found. */
export async function rotateSecret(ctx: Caller, id: string, once?: Once): Promise<WithSecret> {
  const { stores, account } = ctx
  return answerOnce(ctx, once, 200, async () => {
    const { secret: from } = await findWebhook(ctx, id)
    const secret = makeSecret(ctx.random(SECRET_BYTES))
    const to = await seal(ctx.keyring, place(account.number, id), secret, ctx.random(12))
    const change = { from, to, now: ctx.now(), previousUntil: ctx.now() + PREVIOUS_SIGNS_MS }
    return {
      answer: { object: 'webhook', id, signing_secret: secret },
      write: (kept) => rows.rotateSecret(stores, account, id, change, kept),
      isWritten: async () => (await rows.findWebhook(stores, account, id))?.secret === to,
      refusal: () =>
        new Problem('concurrent_idempotent_requests', 'The secret is being rotated by another request.', {
          fix: 'GET the webhook to see the secret that is in force.',
        }),
    }
  })
}

/** The endpoint, if it is the caller's. @throws Problem not_found. */
export async function findWebhook(ctx: Caller, id: string): Promise<WebhookRow> {
  const row = await rows.findWebhook(ctx.stores, ctx.account, id)
  if (!row) throw notFound('Webhook')
  return row
}

/** The secrets that sign now, the one in force first. */
export async function secretsOf(
  ctx: Context,
  account: number,
  webhook: { id: string; secret: string; previousSecret: string | null; previousUntil: number | null },
): Promise<string[]> {
  const sealed = [webhook.secret]
  if (webhook.previousSecret !== null && (webhook.previousUntil ?? 0) > ctx.now()) sealed.push(webhook.previousSecret)
  return Promise.all(sealed.map((box) => unseal(ctx.keyring, place(account, webhook.id), box)))
}

type Writing = {
  answer: WithSecret
  write(kept: Awaited<ReturnType<typeof keeping>>): Promise<boolean>
  isWritten(): Promise<boolean>
  refusal(): Problem
}

/** Equal requests under one key get one answer, and one thing is made. */
async function answerOnce(
  ctx: Caller,
  once: Once | undefined,
  status: number,
  prepare: () => Promise<Writing>,
): Promise<WithSecret> {
  const { number } = ctx.account
  const db = mailOf(ctx.stores, ctx.account)
  const known = await recall(ctx, db, number, once)
  if (known !== undefined) return asWithSecret(known)
  const writing = await prepare()
  const kept = await keeping(ctx, number, once, status, writing.answer)
  const written = await settle(
    () => writing.write(kept),
    async () => (await writing.isWritten()) || undefined,
  )
  if (written) return writing.answer
  const winner = await recall(ctx, db, number, once)
  if (winner !== undefined) return asWithSecret(winner)
  throw writing.refusal()
}

/** What was kept under this method and path is what this verb answered. */
function asWithSecret(kept: unknown): WithSecret {
  return kept as WithSecret
}

/** Refuses early what every call would refuse. */
async function checkUrl(ctx: Caller, endpoint: string): Promise<string> {
  const own = new URL(ctx.config.PUBLIC_URL).host
  const target = readTarget(endpoint, { local: ctx.config.local, ownHosts: [own] })
  if (target.kind === 'refused') throw badEndpoint(target.reason)
  await ctx.net.checkHost(target.host.text).catch((error) => {
    throw error instanceof Problem && error.code === 'validation_error'
      ? badEndpoint(`names a host that ${error.detail.fields?.[0]?.reason ?? 'may not be called'}`)
      : error
  })
  return target.url.href
}

function badEndpoint(reason: string): Problem {
  return new Problem('validation_error', `Invalid \`endpoint\`: ${reason}`, {
    fields: [{ path: 'endpoint', reason }],
    fix: 'Give an https URL of a public host.',
  })
}

function summary(row: WebhookRow) {
  return {
    id: row.id,
    created_at: isoTime(row.createdAt),
    status: row.status,
    endpoint: row.url,
    events: asTexts(JSON.parse(row.types)),
    payload: row.payload,
  }
}

function asTexts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function place(account: number, id: string): string {
  return `webhooks:${account}:${id}`
}
