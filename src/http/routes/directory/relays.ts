import {
  CreateRelay,
  DeleteRelay,
  GetRelay,
  ListRelays,
  PatchRelay,
  TestRelay,
} from '../../../contract/directory/relays.ts'
import { createRelay, deleteRelay, getRelay, listRelays, patchRelay } from '../../../directory/relays/relays.ts'
import { testRelay } from '../../../relay/probe.ts'
import { type Bound, on, param } from '../../route.ts'

export const relays: Bound[] = [
  on(CreateRelay, ({ ctx, body, once }) => createRelay(ctx, body, once)),
  on(ListRelays, ({ ctx, query }) => listRelays(ctx, query)),
  on(GetRelay, ({ ctx, params }) => getRelay(ctx, param(params, 'id'))),
  on(PatchRelay, ({ ctx, params, body }) => patchRelay(ctx, param(params, 'id'), body)),
  on(TestRelay, ({ ctx, params }) => testRelay(ctx, param(params, 'id'))),
  on(DeleteRelay, ({ ctx, params }) => deleteRelay(ctx, param(params, 'id'))),
]
