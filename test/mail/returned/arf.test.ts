import { expect, test } from 'vitest'
import { readAbuseReport } from '../../../src/mail/returned/arf.ts'

test('a reader complains with every type of report but those that no reader makes', () => {
  const read = (type: string) => readAbuseReport(`User-Agent: x/1\r\nFeedback-Type: ${type}\r\nVersion: 1\r\n`)
  expect(read('abuse')).toEqual({ type: 'abuse', complaint: true })
  expect(read('Fraud')).toEqual({ type: 'fraud', complaint: true })
  expect(read('made-up')).toEqual({ type: 'made-up', complaint: true })
  for (const type of ['not-spam', 'auth-failure', 'dmarc']) expect(read(type).complaint, type).toBe(false)
  expect(readAbuseReport('Version: 1\r\n')).toEqual({ type: '', complaint: true })
})
