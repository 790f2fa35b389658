import {
  CancelAccountMove,
  CreateAccount,
  DeleteAccount,
  GetAccount,
  GetAccountMove,
  GetOwnAccount,
  ListAccounts,
  MoveAccount,
  PatchAccount,
} from '../../../contract/directory/accounts.ts'
import { createAccount, getAccount, listAccounts, patchAccount } from '../../../directory/accounts.ts'
import { cancelMove, getMove, moveAccount } from '../../../directory/moving/move.ts'
import { deleteAccount } from '../../../directory/removal.ts'
import { type Bound, on, param } from '../../route.ts'

export const accounts: Bound[] = [
  on(CreateAccount, ({ ctx, body, once }) => createAccount(ctx, body, once)),
  on(ListAccounts, ({ ctx, query }) => listAccounts(ctx, query)),
  on(GetOwnAccount, ({ ctx }) => getAccount(ctx, ctx.account.id)),
  on(GetAccount, ({ ctx, params }) => getAccount(ctx, param(params, 'id'))),
  on(PatchAccount, ({ ctx, params, body }) => patchAccount(ctx, param(params, 'id'), body)),
  on(MoveAccount, ({ ctx, params, body }) => moveAccount(ctx, param(params, 'id'), body.to)),
  on(GetAccountMove, ({ ctx, params }) => getMove(ctx, param(params, 'id'))),
  on(CancelAccountMove, ({ ctx, params }) => cancelMove(ctx, param(params, 'id'))),
  on(DeleteAccount, ({ ctx, params }) => deleteAccount(ctx, param(params, 'id'))),
]
