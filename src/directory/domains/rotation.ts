/** A new DKIM key for a domain: published beside the present one first, signing once its record is seen. */
import { seal } from '../../base/seal.ts'
import type { Caller } from '../../context.ts'
import { makeDkimKeys } from '../../mail/dkim.ts'
import { verifiesAtOnce } from './check.ts'
import { changeOwn } from './domains.ts'
import { switchKey } from './judge.ts'
import { type OtherKey, readOtherKey } from './stored.ts'
import { showDomain } from './view.ts'

/**
 * Makes a second key and shows its record; a key that waits already is the one that is meant. The key before the present
 * one, where it is still shown, is forgotten. Where no DNS is asked, the new key signs at once. @throws Problem not_found.
 */
export async function rotateDkim(ctx: Caller, id: string) {
  const row = await changeOwn(ctx, id, async (row) => {
    const other = readOtherKey(row)
    if (other?.role === 'next') return row
    const keys = await makeDkimKeys()
    const next: OtherKey = {
      role: 'next',
      selector: following(row.dkimSelector),
      publicBase64: keys.publicBase64,
      privateSealed: await seal(ctx.keyring, `domains:${row.account}:${row.id}`, keys.privatePem, ctx.random(12)),
    }
    const after = { ...row, otherKey: JSON.stringify(next) }
    return verifiesAtOnce(ctx) ? switchKey(after, ctx.now()) : after
  })
  return showDomain(ctx.config, row)
}

/** Selectors are never used again: old records stay in caches. */
function following(selector: string): string {
  const [, word = selector, number = '1'] = /^(.*?)(\d*)$/.exec(selector) ?? []
  return `${word}${(Number(number) || 1) + 1}`
}
