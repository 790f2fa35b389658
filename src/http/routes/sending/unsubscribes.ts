import * as contract from '../../../contract/sending/unsubscribes.ts'
import { leave, listUnsubscribes, readLeaving, removeUnsubscribe } from '../../../feedback/unsubscribes.ts'
import { type Bound, on, param } from '../../route.ts'
import { readOneClick } from '../../unsubscribe/one-click.ts'
import { askPage, donePage } from '../../unsubscribe/page.ts'

export const unsubscribes: Bound[] = [
  on(contract.ListUnsubscribes, ({ ctx, query }) => listUnsubscribes(ctx, query)),
  on(contract.RemoveUnsubscribe, ({ ctx, params, query }) =>
    removeUnsubscribe(ctx, param(params, 'email'), query.list),
  ),
  on(contract.ShowUnsubscribe, async ({ ctx, params }) => askPage(await readLeaving(ctx, param(params, 'token')))),
  on(contract.PostUnsubscribe, async ({ ctx, params, request }) => {
    await readOneClick(request)
    return donePage(await leave(ctx, param(params, 'token')))
  }),
]
