import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readCertificate } from '../../src/base/x509.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

/** A certificate that openssl made just now. */
function certify(...options: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'x509-'))
  try {
    const [key, pem] = [join(folder, 'key'), join(folder, 'pem')]
    const fixed = ['req', '-x509', '-nodes', '-subj', '/CN=sns.amazonaws.com', '-keyout', key, '-out', pem]
    execFileSync('openssl', [...fixed, ...options], { stdio: 'ignore' })
    return readFileSync(pem, 'utf8')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test.skipIf(!hasOpenssl)('of a certificate the key and the time are read as Node reads them', () => {
  for (const options of [
    ['-newkey', 'rsa:2048', '-days', '30'],
    ['-newkey', 'rsa:1024', '-days', '20000', '-addext', 'subjectAltName=DNS:a.test'],
    ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-days', '1'],
  ]) {
    const pem = certify(...options)
    const known = new X509Certificate(pem)
    const read = readCertificate(`Some words first.\n${pem}${pem}`)
    expect(Buffer.from(read?.publicKey ?? [])).toEqual(known.publicKey.export({ type: 'spki', format: 'der' }))
    expect(read?.notBefore).toBe(Date.parse(known.validFrom))
    expect(read?.notAfter).toBe(Date.parse(known.validTo))
  }
})

test.skipIf(!hasOpenssl)('one that is cut off, or none at all, is no certificate', () => {
  const pem = certify('-newkey', 'rsa:1024')
  const [head = '', ...lines] = pem.trim().split('\n')
  const body = Buffer.from(lines.slice(0, -1).join(''), 'base64')
  for (let length = 0; length < body.length; length += 7) {
    const cut = `${head}\n${body.subarray(0, length).toString('base64')}\n-----END CERTIFICATE-----`
    expect(readCertificate(cut), String(length)).toBeUndefined()
  }
  for (const text of ['', head, pem.replace(/[A-Z]/g, '!'), `${head}\n-----END CERTIFICATE-----`]) {
    expect(readCertificate(text)).toBeUndefined()
  }
})

test('lengths that lie are no harm', () => {
  for (const der of [
    [0x30, 0x80],
    [0x30, 0x85, 1, 1, 1, 1, 1],
    [0x30, 0x84, 255, 255, 255, 255],
    [0x30, 2, 0x30, 9],
  ]) {
    const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----`
    expect(readCertificate(pem)).toBeUndefined()
  }
})
