import {
  CreateDomain,
  DeleteDomain,
  GetDomain,
  ListDomains,
  PatchDomain,
  VerifyDomain,
} from '../../../contract/directory/domains.ts'
import {
  createDomain,
  deleteDomain,
  getDomain,
  listDomains,
  patchDomain,
  verifyDomain,
} from '../../../directory/domains.ts'
import { type Bound, on, param } from '../../route.ts'

export const domains: Bound[] = [
  on(CreateDomain, ({ ctx, body, once }) => createDomain(ctx, body, once)),
  on(ListDomains, ({ ctx, query }) => listDomains(ctx, query)),
  on(GetDomain, ({ ctx, params }) => getDomain(ctx, param(params, 'id'))),
  on(PatchDomain, ({ ctx, params, body }) => patchDomain(ctx, param(params, 'id'), body)),
  on(VerifyDomain, ({ ctx, params }) => verifyDomain(ctx, param(params, 'id'))),
  on(DeleteDomain, ({ ctx, params }) => deleteDomain(ctx, param(params, 'id'))),
]
