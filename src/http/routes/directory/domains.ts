import {
  CreateDomain,
  DeleteDomain,
  GetDomain,
  ListDomains,
  PatchDomain,
  RotateDkim,
  VerifyDomain,
} from '../../../contract/directory/domains.ts'
import { verifyDomain } from '../../../directory/domains/check.ts'
import { deleteDomain } from '../../../directory/domains/deletion.ts'
import { createDomain, getDomain, listDomains, patchDomain } from '../../../directory/domains/domains.ts'
import { rotateDkim } from '../../../directory/domains/rotation.ts'
import { type Bound, on, param } from '../../route.ts'

export const domains: Bound[] = [
  on(CreateDomain, ({ ctx, body, once }) => createDomain(ctx, body, once)),
  on(ListDomains, ({ ctx, query }) => listDomains(ctx, query)),
  on(GetDomain, ({ ctx, params }) => getDomain(ctx, param(params, 'id'))),
  on(PatchDomain, ({ ctx, params, body }) => patchDomain(ctx, param(params, 'id'), body)),
  on(VerifyDomain, ({ ctx, params }) => verifyDomain(ctx, param(params, 'id'))),
  on(RotateDkim, ({ ctx, params }) => rotateDkim(ctx, param(params, 'id'))),
  on(DeleteDomain, ({ ctx, params, query }) => deleteDomain(ctx, param(params, 'id'), query)),
]
