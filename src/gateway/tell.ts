/** What is told on the terminal: one line a mail, never a body. */

export type Tell = (line: string) => void

/** `in       a@b → hello@demo.test  1.2 KB  stored`: what came of a mail for one recipient. */
export function mailLine(what: 'in' | 'caught' | 'refused' | 'later', mail: MailLine): string {
  const parties = `${plain(mail.from) || '<>'} → ${plain(mail.to)}`
  const size = mail.size === undefined ? [] : [humanSize(mail.size)]
  return [what.padEnd(7), parties, ...size, plain(mail.note)].join('  ')
}

export type MailLine = { from: string; to: string; size?: number; note: string }

/** Strangers choose addresses and texts: what could move the cursor or turn the writing around is not shown. */
export function plain(text: string): string {
  return text.slice(0, 300).replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '?')
}

function humanSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}
