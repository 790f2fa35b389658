import * as contract from '../../../contract/mailbox/redelivery.ts'
import { redeliver } from '../../../reception/again/deliver.ts'
import { getRedelivery, redeliverMany } from '../../../reception/again/run.ts'
import { type Bound, on, param } from '../../route.ts'

export const redelivery: Bound[] = [
  on(contract.Redeliver, ({ ctx, params, body }) => redeliver(ctx, param(params, 'id'), body)),
  on(contract.RedeliverRange, ({ ctx, body, once }) => redeliverMany(ctx, body, once)),
  on(contract.GetRedelivery, ({ ctx, params }) => getRedelivery(ctx, param(params, 'id'))),
]
