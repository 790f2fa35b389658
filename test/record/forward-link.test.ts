import { expect, test } from 'vitest'
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from '../../src/base/bytes.ts'
import { makeForwardLink, readForwardToken } from '../../src/record/forward-link.ts'
import { makeWorld } from '../support/world.ts'

const agreeing = { account: 7, target: '01a20ae9-a4a2-726f-ae1b-350a74c3718a', from: 'me@home.test' }

test('a link says what it was made for, for a week', async () => {
  const world = await makeWorld()
  const token = await tokenIn(world.ctx)
  expect(await readForwardToken(world.ctx, token)).toEqual(agreeing)
  world.pass(8 * 86_400_000)
  expect(await readForwardToken(world.ctx, token)).toBeUndefined()
})

test('nobody makes a link for another target, account or time out of one he was sent', async () => {
  const { ctx } = await makeWorld()
  const [text = '', proof = ''] = (await tokenIn(ctx)).split('.')
  const said = fromUtf8(fromBase64Url(text))
  for (const other of [said.replace(/^7 /, '8 '), said.replace('01a2', '01a3'), said.replace(/ 1(\d{12}) /, ' 9$1 ')]) {
    expect(other).not.toBe(said)
    expect(await readForwardToken(ctx, `${toBase64Url(utf8(other))}.${proof}`)).toBeUndefined()
  }
  for (const proofs of ['', 'A'.repeat(22), proof.slice(0, -4)]) {
    expect(await readForwardToken(ctx, `${text}.${proofs}`)).toBeUndefined()
  }
})

async function tokenIn(ctx: Parameters<typeof makeForwardLink>[0]): Promise<string> {
  return (await makeForwardLink(ctx, agreeing)).split('/').at(-1) ?? ''
}
