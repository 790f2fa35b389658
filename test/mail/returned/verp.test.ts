import { expect, test } from 'vitest'
import { makeKeyring } from '../../../src/base/seal.ts'
import { parseAddress } from '../../../src/mail/address.ts'
import { looksLikeVerp, makeVerp, readVerp } from '../../../src/mail/returned/verp.ts'

const keyring = await makeKeyring('k'.repeat(32))
const message = '0190a3c4-7b1e-7def-8123-456789abcdef'
const token = { account: 42, message, recipient: 7 }
const made = await makeVerp(keyring, token, 'bounce.example')
const local = made.slice(0, made.indexOf('@'))

test('a bounce address names its account, message and recipient, in any case', async () => {
  expect(made).toMatch(/^b-16-[a-z2-7]{26}-7-[a-z2-7]{16}@bounce\.example$/)
  expect(await readVerp(keyring, local)).toEqual(token)
  expect(await readVerp(keyring, local.toUpperCase())).toEqual(token)
  expect(looksLikeVerp(local.toUpperCase())).toBe(true)
  expect(parseAddress(made)?.address).toBe(made)
})

test('no character of it can be another one', async () => {
  for (let at = 0; at < local.length; at++) {
    for (const other of '0123456789abcdefghijklmnopqrstuvwxyz-+') {
      if (other === local[at]) continue
      const forged = local.slice(0, at) + other + local.slice(at + 1)
      expect(await readVerp(keyring, forged), forged).toBeUndefined()
    }
  }
})

test('the proof is good for its own account, message and recipient alone', async () => {
  const proof = local.slice(-16)
  for (const other of [
    { ...token, account: 43 },
    { ...token, recipient: 8 },
    { ...token, message: message.replace('0190', '0191') },
  ]) {
    const theirs = (await makeVerp(keyring, other, 'x')).split('@')[0] ?? ''
    expect(await readVerp(keyring, theirs)).toEqual(other)
    expect(await readVerp(keyring, theirs.slice(0, -16) + proof)).toBeUndefined()
  }
  expect(await readVerp(keyring, local.replace('b-16-', 'b-016-'))).toBeUndefined()
  expect(await readVerp(keyring, `${local}a`)).toBeUndefined()
  expect(await readVerp(await makeKeyring('z'.repeat(32)), local)).toBeUndefined()
})

test('bounces of what the previous secret signed are still taken', async () => {
  const changed = await makeKeyring('n'.repeat(32), 'k'.repeat(32))
  expect(await readVerp(changed, local)).toEqual(token)
})

test('small numbers and digits of every kind are read back', async () => {
  for (const [account, recipient] of [
    [0, 0],
    [1, 10],
    [35, 35],
    [36, 36],
    [360, 1295],
  ] as const) {
    const address = await makeVerp(keyring, { account, message, recipient }, 'x')
    expect(await readVerp(keyring, address.slice(0, address.indexOf('@')))).toEqual({ account, message, recipient })
  }
})

test('the largest token fits a local part, and what does not fit is not made', async () => {
  const largest = { account: Number.MAX_SAFE_INTEGER, message, recipient: 36 ** 4 - 1 }
  const address = await makeVerp(keyring, largest, 'bounce.example')
  expect(address.indexOf('@')).toBeLessThanOrEqual(64)
  expect(await readVerp(keyring, address.slice(0, address.indexOf('@')))).toEqual(largest)
  await expect(makeVerp(keyring, { ...token, recipient: 36 ** 4 }, 'x')).rejects.toThrow(RangeError)
  await expect(makeVerp(keyring, { ...token, account: -1 }, 'x')).rejects.toThrow(RangeError)
  await expect(makeVerp(keyring, { ...token, message: 'x' }, 'x')).rejects.toThrow(RangeError)
  expect(await makeVerp(keyring, token, 'd'.repeat(253 - local.length))).toHaveLength(254)
  await expect(makeVerp(keyring, token, 'd'.repeat(254 - local.length))).rejects.toThrow(RangeError)
})

test('ordinary addresses do not look like ours', () => {
  for (const other of ['', 'b', 'b-ann', 'bounce-1-2-3-4', `${local}x`, 'x'.repeat(100_000)]) {
    expect(looksLikeVerp(other)).toBe(false)
  }
})
