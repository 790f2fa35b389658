/** Certificates made for one run, as a service would have them, with the key that signs for them. */
import { concat, toBase64, utf8 } from '../../src/base/bytes.ts'

export type Signer = {
  pem: string
  /** RSASSA-PKCS1-v1_5 in base64. */
  sign(text: string): Promise<string>
}

/** A certificate of an RSA key, valid from and to (ms); its own signature is none, as nobody here reads it. */
export async function makeSigner(hash: 'SHA-1' | 'SHA-256', notBefore: number, notAfter: number): Promise<Signer> {
  const kind = { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash }
  const pair = await crypto.subtle.generateKey(kind, true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new Error('a pair was asked for')
  const spki = await crypto.subtle.exportKey('spki', pair.publicKey)
  if (!(spki instanceof ArrayBuffer)) throw new Error('DER was asked for')
  const name = sequence()
  const fields = sequence(
    element(0xa0, element(2, new Uint8Array([2]))),
    element(2, new Uint8Array([1])),
    sequence(),
    name,
    sequence(time(notBefore), time(notAfter)),
    name,
    new Uint8Array(spki),
  )
  const der = sequence(fields, sequence(), element(3, new Uint8Array([0])))
  const pem = `-----BEGIN CERTIFICATE-----\n${toBase64(der).replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
  return {
    pem,
    sign: async (text) => toBase64(new Uint8Array(await crypto.subtle.sign(kind.name, pair.privateKey, utf8(text)))),
  }
}

function sequence(...children: Uint8Array[]): Uint8Array {
  return element(0x30, ...children)
}

function element(tag: number, ...children: Uint8Array[]): Uint8Array {
  const content = concat(children)
  const { length } = content
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 255]
  return concat([new Uint8Array(head), content])
}

/** GeneralizedTime. */
function time(ms: number): Uint8Array {
  return element(0x18, utf8(`${new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')}`))
}
