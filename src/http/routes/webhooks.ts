import * as contract from '../../contract/webhooks.ts'
import {
  createWebhook,
  deleteWebhook,
  getWebhook,
  listWebhooks,
  rotateSecret,
  updateWebhook,
} from '../../webhook/endpoints.ts'
import { getTold, listAttempts, listTold, replayEvent, replayEvents } from '../../webhook/history.ts'
import { type Bound, on, param } from '../route.ts'

export const webhooks: Bound[] = [
  on(contract.CreateWebhook, ({ ctx, body, once }) => createWebhook(ctx, body, once)),
  on(contract.ListWebhooks, ({ ctx, query }) => listWebhooks(ctx, query)),
  on(contract.GetWebhook, ({ ctx, params }) => getWebhook(ctx, param(params, 'id'))),
  on(contract.UpdateWebhook, ({ ctx, params, body }) => updateWebhook(ctx, param(params, 'id'), body)),
  on(contract.DeleteWebhook, ({ ctx, params }) => deleteWebhook(ctx, param(params, 'id'))),
  on(contract.RotateSecret, ({ ctx, params, once }) => rotateSecret(ctx, param(params, 'id'), once)),
  on(contract.ListDispatches, ({ ctx, params, query }) => listTold(ctx, param(params, 'id'), query)),
  on(contract.GetDispatch, ({ ctx, params }) => getTold(ctx, param(params, 'id'), param(params, 'event'))),
  on(contract.ReplayDispatch, ({ ctx, params }) => replayEvent(ctx, param(params, 'id'), param(params, 'event'))),
  on(contract.ListAttempts, ({ ctx, params, query }) =>
    listAttempts(ctx, param(params, 'id'), param(params, 'event'), query),
  ),
  on(contract.ReplayRange, ({ ctx, params, body }) => replayEvents(ctx, param(params, 'id'), body)),
]
