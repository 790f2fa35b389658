import {
  CreateRule,
  DeleteRule,
  GetRule,
  GetRuleRun,
  ListRules,
  PatchRule,
  RunRules,
  TestRules,
} from '../../../contract/rules/routes.ts'
import { createRule, deleteRule, getRule, listRules, patchRule } from '../../../directory/receiving/rules.ts'
import { getRuleRun, runRules } from '../../../reception/rules/run.ts'
import { testRules } from '../../../reception/rules/try.ts'
import { type Bound, on, param } from '../../route.ts'

export const rules: Bound[] = [
  on(CreateRule, ({ ctx, body, once }) => createRule(ctx, body, once)),
  on(ListRules, ({ ctx }) => listRules(ctx)),
  on(GetRule, ({ ctx, params }) => getRule(ctx, param(params, 'id'))),
  on(PatchRule, ({ ctx, params, body }) => patchRule(ctx, param(params, 'id'), body)),
  on(DeleteRule, ({ ctx, params }) => deleteRule(ctx, param(params, 'id'))),
  on(TestRules, ({ ctx, body }) => testRules(ctx, body)),
  on(RunRules, ({ ctx, body, once }) => runRules(ctx, body, once)),
  on(GetRuleRun, ({ ctx, params }) => getRuleRun(ctx, param(params, 'id'))),
]
