/** A certificate authority for tests, made when it is asked for: no key lies in the repository, and no openssl is needed. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'

export type TestCa = {
  /** For `ca:` in Node, or in a file that NODE_EXTRA_CA_CERTS names for workerd. */
  caPem: string
  /** A server certificate for the names and IP addresses, and its key, both PEM. */
  issue(hostnames: string[], addresses?: string[]): { key: string; cert: string }
}

const SECONDS = 1000
const DAY = 24 * 3600 * SECONDS

/** An ECDSA P-256 authority, valid from yesterday for a month. */
export function makeTestCa(now = Date.now()): TestCa {
  const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = name('Test CA')
  const validity = sequence(utcTime(now - DAY), utcTime(now + 30 * DAY))
  const caKeyId = keyId(ca.publicKey)

  const certify = (subject: Buffer, key: KeyObject, extensions: Buffer[]): string => {
    const body = sequence(
      tagged(0xa0, integer(Buffer.of(2))),
      integer(randomBytes(16)),
      ECDSA_SHA256,
      issuer,
      validity,
      subject,
      key.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(...extensions)),
    )
    return pem('CERTIFICATE', sequence(body, ECDSA_SHA256, bits(sign('sha256', body, ca.privateKey))))
  }

  return {
    caPem: certify(issuer, ca.publicKey, [
      extension(OID.basicConstraints, sequence(boolean(true)), true),
      extension(OID.keyUsage, Buffer.from([0x03, 0x02, 0x01, 0x06]), true),
      extension(OID.subjectKeyId, octets(caKeyId)),
    ]),
    issue(hostnames, addresses = []) {
      const server = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const names = [
        ...hostnames.map((host) => tagged(0x82, Buffer.from(host))),
        ...addresses.map((address) => tagged(0x87, addressBytes(address))),
      ]
      const cert = certify(name(hostnames[0] ?? addresses[0] ?? 'test'), server.publicKey, [
        extension(OID.basicConstraints, sequence(), true),
        extension(OID.keyUsage, Buffer.from([0x03, 0x02, 0x07, 0x80]), true),
        extension(OID.extendedKeyUsage, sequence(oid(OID.serverAuth))),
        extension(OID.subjectAltName, sequence(...names)),
        extension(OID.subjectKeyId, octets(keyId(server.publicKey))),
        extension(OID.authorityKeyId, sequence(tagged(0x80, caKeyId))),
      ])
      return { key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert }
    },
  }
}

/** Object identifiers in their encoded form (RFC 5280, RFC 5758). */
const OID = {
  ecdsaSha256: '2a8648ce3d040302',
  commonName: '550403',
  basicConstraints: '551d13',
  keyUsage: '551d0f',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
  subjectAltName: '551d11',
  subjectKeyId: '551d0e',
  authorityKeyId: '551d23',
}

const ECDSA_SHA256 = sequence(oid(OID.ecdsaSha256))

function name(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(oid(OID.commonName), tagged(0x0c, Buffer.from(commonName)))))
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value))
}

function keyId(key: KeyObject): Buffer {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20)
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  if (address === '::1') return Buffer.concat([Buffer.alloc(15), Buffer.of(1)])
  throw new RangeError(`no such address in tests: ${address}`)
}

/** DER: a tag, the length, the contents (X.690 section 8.1). */
function tagged(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...contents: Buffer[]): Buffer {
  return tagged(0x30, ...contents)
}

function oid(encoded: string): Buffer {
  return tagged(0x06, Buffer.from(encoded, 'hex'))
}

/** Positive, and in the fewest octets. */
function integer(value: Buffer): Buffer {
  const first = value[0] ?? 0
  return tagged(0x02, value.length === 1 ? value : Buffer.concat([Buffer.of((first & 0x3f) | 0x40), value.subarray(1)]))
}

function boolean(value: boolean): Buffer {
  return tagged(0x01, Buffer.of(value ? 0xff : 0))
}

function octets(value: Buffer): Buffer {
  return tagged(0x04, value)
}

function bits(value: Buffer): Buffer {
  return tagged(0x03, Buffer.of(0), value)
}

function utcTime(time: number): Buffer {
  const digits = new Date(time).toISOString().replace(/[-:T]/g, '').slice(2, 14)
  return tagged(0x17, Buffer.from(`${digits}Z`))
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
