import { expect, test } from 'vitest'
import { sendEmailBy } from '../../src/platform/email.ts'

const mail = {
  from: 'a@here.test',
  to: 'b@there.test',
  raw: new TextEncoder().encode('From: a@here.test\r\n\r\nhi\r\n'),
}

test('without a binding there is no way to the service', () => {
  for (const nothing of [undefined, null, 'EMAIL', {}, { send: 'x' }]) expect(sendEmailBy(nothing)).toEqual({})
})

test('a mail is handed to the binding with its envelope, and the service’s id comes back', async () => {
  const given: { from: string; to: string }[] = []
  const binding = {
    send: async (message: { from: string; to: string }) => {
      given.push({ from: message.from, to: message.to })
      return { messageId: 'cf-1' }
    },
  }
  expect(await sendEmailBy(binding).sendEmail?.(mail)).toEqual({ kind: 'taken', id: 'cf-1' })
  expect(given).toEqual([{ from: 'a@here.test', to: 'b@there.test' }])
})

test('an answer with a code of the service is a refusal; anything else leaves open what became of the mail', async () => {
  const failing = (error: unknown) => sendEmailBy({ send: async () => Promise.reject(error) }).sendEmail?.(mail)
  const coded = Object.assign(new Error('slow down'), { code: 'E_RATE_LIMIT_EXCEEDED' })
  expect(await failing(coded)).toEqual({ kind: 'refused', code: 'E_RATE_LIMIT_EXCEEDED', message: 'slow down' })
  for (const lost of [new Error('connection lost'), Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'x', null]) {
    await expect(failing(lost)).rejects.toBe(lost)
  }
})
