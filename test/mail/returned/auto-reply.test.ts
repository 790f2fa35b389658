import { expect, test } from 'vitest'
import { isAutoReply } from '../../../src/mail/returned/auto-reply.ts'

test('an automatic answer is known by what it calls itself', () => {
  expect(isAutoReply({ 'auto-submitted': ['auto-replied; owner-email="a@x.test"'] }, '')).toBe(true)
  expect(isAutoReply({ 'auto-submitted': ['no'] }, 'Hello')).toBe(false)
  expect(isAutoReply({ 'auto-submitted': ['auto-generated'] }, 'Your invoice')).toBe(false)
  expect(isAutoReply({ 'x-autoreply': ['yes'] }, '')).toBe(true)
  expect(isAutoReply({ 'x-autoreply': ['no'] }, '')).toBe(false)
  expect(isAutoReply({ precedence: ['auto_reply'] }, '')).toBe(true)
  expect(isAutoReply({ precedence: ['bulk'] }, 'News')).toBe(false)
  for (const subject of ['Automatic reply: Hi', 'Out of Office Re: Hi', ' Auto: gone']) {
    expect(isAutoReply({}, subject), subject).toBe(true)
  }
  expect(isAutoReply({}, 'Re: Automatic reply?')).toBe(false)
})
