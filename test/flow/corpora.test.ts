import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import PostalMime from 'postal-mime'
import { expect, test } from 'vitest'
import { makeTenant, OPERATOR, startService } from './service.ts'

const corpora = join(import.meta.dirname, '../../../shared/corpora')
const folders = ['mime/mail-parser', 'mime/mime4j', 'mime/mikel-mail', 'bounces'].map((name) => join(corpora, name))

/** A semicolon is missing behind text/plain: text to us, an attachment to the reference. */
const DIFFERS = new Set(['lhost-x1-02.eml'])

function mails(): string[] {
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name))),
  )
  return files.filter((file) => /\.(eml|msg|txt)$/.test(file) && statSync(file).isFile())
}

/** What the reference reads as attachments. */
async function expected(raw: Buffer): Promise<string[]> {
  const { attachments } = await PostalMime.parse(raw, { forceRfc822Attachments: true })
  return attachments.map(({ content }) =>
    loose(Buffer.from(typeof content === 'string' ? content : new Uint8Array(content))),
  )
}

/** The reference turns the line ends of unencoded parts to LF and ends them with one; we serve them as they were sent. */
function loose(bytes: Buffer): string {
  return bytes.toString('latin1').replaceAll('\r\n', '\n').replace(/\n+$/, '')
}

test.skipIf(!existsSync(corpora))(
  'every mail of the corpora comes back byte for byte, and so does every attachment',
  async () => {
    const service = await startService()
    try {
      const { key, address } = await makeTenant(service, 'corpora.test')
      const different: string[] = []
      let attachments = 0
      for (const file of mails()) {
        const raw = readFileSync(file)
        const taken = await fetch(`${service.url}/inbound?from=&to=${address}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${OPERATOR}`, 'content-type': 'message/rfc822' },
          body: raw,
        })
        const { id, duplicate } = (await taken.json()) as { id: string; duplicate: boolean }
        if (taken.status !== 200) different.push(`${file}: refused with ${taken.status}`)
        if (taken.status !== 200 || duplicate) continue
        const told = 'html_format=cid&body=safe_html,reply_text,invitation'
        const { body: read, status } = await service.call('GET', `/emails/receiving/${id}?${told}`, { key })
        if (status !== 200) {
          different.push(`${file}: read with ${status}`)
          continue
        }
        const stored = Buffer.from(await (await service.follow(read.raw.download_url)).arrayBuffer())
        if (!stored.equals(raw)) different.push(`${file}: raw`)
        const listed = await service.call('GET', `/emails/receiving/${id}/attachments?limit=100`, { key })
        const given: string[] = []
        for (const attachment of listed.body.data) {
          const download = await service.follow(attachment.download_url)
          const bytes = Buffer.from(await download.arrayBuffer())
          if (bytes.length !== attachment.size) different.push(`${file}: size of ${attachment.filename}`)
          given.push(loose(bytes))
        }
        attachments += given.length
        const wanted = await expected(raw)
        if (!DIFFERS.has(basename(file)) && wanted.some((one) => !given.includes(one)))
          different.push(`${file}: an attachment`)
      }
      expect(different).toEqual([])
      expect(attachments).toBeGreaterThan(50)
    } finally {
      await service.close()
    }
  },
  240_000,
)
