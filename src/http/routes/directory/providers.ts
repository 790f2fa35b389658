import * as contract from '../../../contract/directory/providers.ts'
import {
  createProvider,
  deleteProvider,
  getProvider,
  listProviders,
  patchProvider,
} from '../../../directory/providers/providers.ts'
import { takeCall } from '../../../feedback/told.ts'
import { type TakenCall, takeBrought } from '../../../reception/brought.ts'
import { readBytes, unreadBody } from '../../raw-body.ts'
import { type Bound, on, param } from '../../route.ts'

/** SNS sends 256 KiB, escaped once more; others less. */
const MAX_CALL = 1024 * 1024

export const providers: Bound[] = [
  on(contract.CreateProvider, ({ ctx, body, once }) => createProvider(ctx, body, once)),
  on(contract.ListProviders, ({ ctx, query }) => listProviders(ctx, query)),
  on(contract.GetProvider, ({ ctx, params }) => getProvider(ctx, param(params, 'id'))),
  on(contract.PatchProvider, ({ ctx, params, body }) => patchProvider(ctx, param(params, 'id'), body)),
  on(contract.DeleteProvider, ({ ctx, params }) => deleteProvider(ctx, param(params, 'id'))),
  on(contract.TakeEvents, async ({ ctx, params, request }) =>
    takeCall(ctx, param(params, 'id'), { headers: request.headers, body: await readBytes(request, MAX_CALL) }),
  ),
  on(contract.TakeInbound, async ({ ctx, params, request }) =>
    answer(await takeBrought(ctx, param(params, 'id'), unreadBody(request))),
  ),
  on(contract.TakeInboundMime, async ({ ctx, params, request }) =>
    answer(await takeBrought(ctx, param(params, 'id'), unreadBody(request))),
  ),
]

/** In the status that the service understands. */
function answer({ status, taken }: TakenCall): Response {
  return Response.json({ object: 'inbound', taken }, { status })
}
