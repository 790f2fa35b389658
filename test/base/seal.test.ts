import { expect, test } from 'vitest'
import { mac, makeKeyring, seal, unseal, verifyMac } from '../../src/base/seal.ts'

const nonce = Uint8Array.from({ length: 12 }, (_, at) => at)
const secret = (letter: string) => letter.repeat(32)

test('a sealed secret opens at its own place only', async () => {
  const keyring = await makeKeyring(secret('a'))
  const sealed = await seal(keyring, 'relays:1:x', 'hunter2', nonce)
  expect(sealed).not.toContain('hunter2')
  expect(await unseal(keyring, 'relays:1:x', sealed)).toBe('hunter2')
  await expect(unseal(keyring, 'relays:2:x', sealed)).rejects.toThrow()
})

test('what the previous secret sealed and signed is still good after a change of secret', async () => {
  const before = await makeKeyring(secret('a'))
  const after = await makeKeyring(secret('b'), secret('a'))
  expect(await unseal(after, 'p', await seal(before, 'p', 'text', nonce))).toBe('text')
  expect(await verifyMac(after, 'verp', 'data', await mac(before, 'verp', 'data', 10))).toBe(true)
  await expect(unseal(await makeKeyring(secret('b')), 'p', await seal(before, 'p', 'text', nonce))).rejects.toThrow(
    'no key',
  )
})

test('a proof holds for its purpose and data only, and not when cut below 80 bits', async () => {
  const keyring = await makeKeyring(secret('a'))
  const proof = await mac(keyring, 'verp', 'data', 10)
  expect(await verifyMac(keyring, 'verp', 'data', proof)).toBe(true)
  expect(await verifyMac(keyring, 'link', 'data', proof)).toBe(false)
  expect(await verifyMac(keyring, 'verp', 'other', proof)).toBe(false)
  expect(await verifyMac(keyring, 'verp', 'data', proof.subarray(0, 9))).toBe(false)
})
