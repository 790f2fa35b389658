import {
  CreateAddress,
  DeleteAddress,
  GetAddress,
  ListAddresses,
  PatchAddress,
} from '../../../contract/directory/addresses.ts'
import { createAddress, deleteAddress, getAddress, listAddresses, patchAddress } from '../../../directory/addresses.ts'
import { type Bound, on, param } from '../../route.ts'

export const addresses: Bound[] = [
  on(CreateAddress, ({ ctx, body, once }) => createAddress(ctx, body, once)),
  on(ListAddresses, ({ ctx, query }) => listAddresses(ctx, query)),
  on(GetAddress, ({ ctx, params }) => getAddress(ctx, param(params, 'id'))),
  on(PatchAddress, ({ ctx, params, body }) => patchAddress(ctx, param(params, 'id'), body)),
  on(DeleteAddress, ({ ctx, params }) => deleteAddress(ctx, param(params, 'id'))),
]
