import { CreateKey, DeleteKey, ListKeys, PatchKey } from '../../../contract/directory/keys.ts'
import { createKey, deleteKey, listKeys, patchKey } from '../../../directory/keys.ts'
import { type Bound, on, param } from '../../route.ts'

export const apiKeys: Bound[] = [
  on(CreateKey, ({ ctx, body, once }) => createKey(ctx, body, once)),
  on(ListKeys, ({ ctx, query }) => listKeys(ctx, query)),
  on(PatchKey, ({ ctx, params, body }) => patchKey(ctx, param(params, 'id'), body)),
  on(DeleteKey, ({ ctx, params }) => deleteKey(ctx, param(params, 'id'))),
]
