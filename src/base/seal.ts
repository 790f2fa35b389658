/** Secrets at rest and proofs: AES-GCM sealing under a named key, HMAC, SHA-256, comparison in constant time. */
import { fromBase64Url, fromUtf8, toBase64Url, toHex, utf8 } from './bytes.ts'

/**
 * The keys of this instance, all derived (HKDF-SHA-256, RFC 5869) from the Worker's secret.
 * The previous secret, where given, still opens and verifies, so that the secret can be changed without an outage.
 */
export type Keyring = { readonly present: Secret; readonly previous?: Secret }

type Secret = { readonly id: string; readonly root: CryptoKey }

/** What a derived key is for; each purpose has a key of its own. */
export type Purpose = 'seal' | 'verp' | 'link' | 'unsubscribe' | 'forward'

/** Makes the keyring of one or two secrets, each of at least 32 characters. */
export async function makeKeyring(present: string, previous?: string): Promise<Keyring> {
  const keyring = { present: await loadSecret(present) }
  return previous ? { ...keyring, previous: await loadSecret(previous) } : keyring
}

/**
 * Seals a text under the present key. `place` (table, account, row) is bound as associated data,
 * so that a sealed value moved to another row does not open. `nonce` is 12 random bytes, never used twice.
 */
export async function seal(keyring: Keyring, place: string, text: string, nonce: Uint8Array): Promise<string> {
  const key = await sealingKey(keyring.present)
  const sealed = await crypto.subtle.encrypt(gcm(nonce, place), key, utf8(text))
  return `${keyring.present.id}.${toBase64Url(nonce)}.${toBase64Url(new Uint8Array(sealed))}`
}

/** Opens what `seal` made at the same place; throws where the key is gone, or place or bytes do not match. */
export async function unseal(keyring: Keyring, place: string, sealed: string): Promise<string> {
  const [id = '', nonce = '', box = ''] = sealed.split('.')
  const secret = secrets(keyring).find((candidate) => candidate.id === id)
  if (!secret) throw new Error(`no key ${JSON.stringify(id)} to open a sealed value with`)
  const opened = await crypto.subtle.decrypt(
    gcm(fromBase64Url(nonce), place),
    await sealingKey(secret),
    fromBase64Url(box),
  )
  return fromUtf8(new Uint8Array(opened))
}

/** HMAC-SHA-256 of the data under the present key of a purpose, cut to `length` bytes (32 at most). */
export async function mac(keyring: Keyring, purpose: Purpose, data: string, length = 32): Promise<Uint8Array> {
  return macWith(keyring.present, purpose, data, length)
}

/** Whether a MAC is ours, under the present or the previous key. */
export async function verifyMac(keyring: Keyring, purpose: Purpose, data: string, given: Uint8Array): Promise<boolean> {
  for (const secret of secrets(keyring)) {
    if (sameBytes(await macWith(secret, purpose, data, given.length), given)) return given.length >= 10
  }
  return false
}

/** SHA-256 as 64 hexadecimal digits. */
export async function sha256Hex(data: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', typeof data === 'string' ? utf8(data) : data)
  return toHex(new Uint8Array(digest))
}

/** Compares in a time that does not tell where the two differ. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  for (let at = 0; at < a.length; at++) difference |= (a[at] ?? 0) ^ (b[at] ?? 0)
  return difference === 0
}

async function loadSecret(text: string): Promise<Secret> {
  if (text.length < 32) throw new Error('the instance secret needs at least 32 characters')
  const root = await crypto.subtle.importKey('raw', utf8(text), 'HKDF', false, ['deriveBits', 'deriveKey'])
  const id = toHex(new Uint8Array(await crypto.subtle.deriveBits(hkdf('key id'), root, 32)))
  return { id, root }
}

const derived = new WeakMap<Secret, Map<string, Promise<CryptoKey>>>()

/** Derived keys are kept, because deriving costs more than using. */
function derive(secret: Secret, name: string, make: () => Promise<CryptoKey>): Promise<CryptoKey> {
  const keys = derived.get(secret) ?? new Map<string, Promise<CryptoKey>>()
  derived.set(secret, keys)
  const known = keys.get(name) ?? make()
  keys.set(name, known)
  return known
}

function sealingKey(secret: Secret): Promise<CryptoKey> {
  const use: KeyUsage[] = ['encrypt', 'decrypt']
  return derive(secret, 'seal', () =>
    crypto.subtle.deriveKey(hkdf('seal'), secret.root, { name: 'AES-GCM', length: 256 }, false, use),
  )
}

async function macWith(secret: Secret, purpose: Purpose, data: string, length: number): Promise<Uint8Array> {
  const kind = { name: 'HMAC', hash: 'SHA-256', length: 256 }
  const key = await derive(secret, purpose, () =>
    crypto.subtle.deriveKey(hkdf(purpose), secret.root, kind, false, ['sign']),
  )
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, utf8(data))).subarray(0, length)
}

type KeyUsage = 'encrypt' | 'decrypt' | 'sign'

function secrets(keyring: Keyring): Secret[] {
  return keyring.previous ? [keyring.present, keyring.previous] : [keyring.present]
}

function hkdf(info: string) {
  return { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(32), info: utf8(`pochta ${info}`) }
}

function gcm(nonce: Uint8Array, place: string) {
  return { name: 'AES-GCM', iv: Uint8Array.from(nonce), additionalData: utf8(place) }
}
