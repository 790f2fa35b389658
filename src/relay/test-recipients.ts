/** Addresses that stand for an outcome, so that a program can be tried without mail going anywhere. */
import type { Recipient } from '../store/mail/shapes.ts'
import type { Judged } from './judge.ts'

const SHAPE = /^(delivered|bounced|complained|suppressed)(?:\+[^@]*)?@resend\.dev$/i

const WORDS = ['delivered', 'bounced', 'complained', 'suppressed'] as const

/** The outcome that a test recipient stands for; undefined for all the others. */
export function simulated({ address }: Pick<Recipient, 'address'>): Judged | undefined {
  const written = SHAPE.exec(address)?.[1]?.toLowerCase()
  const as = WORDS.find((word) => word === written)
  return as && { kind: 'simulated', as }
}
