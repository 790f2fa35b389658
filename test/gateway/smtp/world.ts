/** A gateway's SMTP server in a folder of its own, before a fake API. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openApi } from '../../../src/gateway/api.ts'
import { startSmtp } from '../../../src/gateway/smtp/server.ts'
import { type FakeApi, startFakeApi } from '../fake-api.ts'
import { type Talk, talkTo } from '../smtp-client.ts'

export const RELAY = { user: 'relay', password: 'right-password' }

export type World = {
  api: FakeApi
  port: number
  caught: string
  /** What is on disk of mail coming in. */
  spooled(): Promise<string[]>
  told: string[]
  /** A client that has greeted. */
  stranger(): Promise<Talk>
  /** A client that has greeted and logged in. */
  client(): Promise<Talk>
}

/** hello@demo.test and ann@demo.test are ours. */
export async function makeWorld(): Promise<World> {
  const home = await mkdtemp(join(tmpdir(), 'pochta-gateway-'))
  const spool = join(home, 'spool')
  await mkdir(spool)
  const api = await startFakeApi('hello@demo.test', 'ann@demo.test')
  const told: string[] = []
  const smtp = await startSmtp({
    host: '127.0.0.1',
    port: 0,
    name: 'mx.test',
    api: openApi(api.url),
    key: api.key,
    domain: 'demo.test',
    postmaster: 'hello@demo.test',
    relay: RELAY,
    spool,
    caught: join(home, 'caught'),
    now: () => new Date('2026-11-23T10:00:00Z'),
    tell: (line) => told.push(line),
  })
  const talks: Talk[] = []
  onTestFinished(async () => {
    for (const talk of talks) talk.cut()
    await smtp.close()
    await api.close()
    await rm(home, { recursive: true })
  })
  const talk = async (login?: typeof RELAY) => {
    const made = await talkTo(smtp.port, login)
    talks.push(made)
    if (!login) await made.say('EHLO client.example')
    return made
  }
  return {
    api,
    port: smtp.port,
    caught: join(home, 'caught'),
    spooled: () => readdir(spool),
    told,
    stranger: () => talk(),
    client: () => talk(RELAY),
  }
}
