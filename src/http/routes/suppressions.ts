import * as contract from '../../contract/suppressions.ts'
import {
  addSuppression,
  addSuppressions,
  getSuppression,
  listSuppressions,
  removeSuppression,
  removeSuppressions,
} from '../../feedback/suppressions.ts'
import { type Bound, on, param } from '../route.ts'

export const suppressions: Bound[] = [
  on(contract.AddSuppression, ({ ctx, body, once }) => addSuppression(ctx, body.email, once)),
  on(contract.ListSuppressions, ({ ctx, query }) => listSuppressions(ctx, query)),
  on(contract.GetSuppression, ({ ctx, params }) => getSuppression(ctx, param(params, 'id'))),
  on(contract.RemoveSuppression, ({ ctx, params }) => removeSuppression(ctx, param(params, 'id'))),
  on(contract.AddSuppressions, ({ ctx, body, once }) => addSuppressions(ctx, body.emails, once)),
  on(contract.RemoveSuppressions, ({ ctx, body, once }) => removeSuppressions(ctx, body, once)),
]
