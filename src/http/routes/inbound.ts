import { AskRecipient, ReceiveRaw } from '../../contract/emails.ts'
import { askRecipient, receive } from '../../reception/receive.ts'
import { sizedStream } from '../raw-body.ts'
import { type Bound, on } from '../route.ts'

export const inbound: Bound[] = [
  on(AskRecipient, ({ ctx, query }) => askRecipient(ctx, query.to, query)),
  on(ReceiveRaw, async ({ ctx, query, request }) => {
    const raw = await sizedStream(request, ctx.config.MAX_MESSAGE_BYTES)
    const received = await receive(ctx, { door: 'inbound', from: query.from, to: query.to, ...raw })
    return { object: 'email' as const, ...received }
  }),
]
