import * as contract from '../../../contract/directory/forward-targets.ts'
import {
  agree,
  askTarget,
  deleteForwardTarget,
  listForwardTargets,
  readAgreeing,
} from '../../../directory/forwarding/targets.ts'
import { agreedPage, agreePage, readAgreement } from '../../agreement.ts'
import { type Bound, on, param } from '../../route.ts'

export const forwardTargets: Bound[] = [
  on(contract.AskForwardTarget, ({ ctx, body }) => askTarget(ctx, body)),
  on(contract.ListForwardTargets, ({ ctx, query }) => listForwardTargets(ctx, query)),
  on(contract.DeleteForwardTarget, ({ ctx, params }) => deleteForwardTarget(ctx, param(params, 'id'))),
  on(contract.ShowAgreement, async ({ ctx, params }) => agreePage(await readAgreeing(ctx, param(params, 'token')))),
  on(contract.PostAgreement, async ({ ctx, params, request }) => {
    await readAgreement(request)
    return agreedPage(await agree(ctx, param(params, 'token')))
  }),
]
