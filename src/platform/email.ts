/** The platform's own mail service, where it is bound as EMAIL. */
import type { EmailAnswer, Net } from '../context.ts'

/** What a `send_email` binding offers. */
type Binding = { send(message: EmailMessage): Promise<{ messageId?: string } | undefined> }

/** The way to it; nothing where there is no binding. */
export function sendEmailBy(binding: unknown): Pick<Net, 'sendEmail'> {
  if (!isBinding(binding)) return {}
  return {
    async sendEmail({ from, to, raw }): Promise<EmailAnswer> {
      // Only a runtime that has the service has the module: a bare workerd must start without it.
      const { EmailMessage } = await import('cloudflare:email')
      try {
        const sent = await binding.send(new EmailMessage(from, to, streamOf(raw)))
        return { kind: 'taken', id: sent?.messageId ?? '' }
      } catch (error) {
        const code = codeOf(error)
        // Without a code it is no answer of the service, which may have taken the mail.
        if (!code) throw error
        return { kind: 'refused', code, message: error instanceof Error ? error.message : '' }
      }
    },
  }
}

function isBinding(value: unknown): value is Binding {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'send') === 'function'
}

/** `E_RATE_LIMIT_EXCEEDED` and its like, which errors of the service carry. */
function codeOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' && /^E_[A-Z_]{1,60}$/.test(code) ? code : undefined
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes)
      controller.close()
    },
  })
}
