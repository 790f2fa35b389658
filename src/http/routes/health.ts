import { GetHealth } from '../../contract/health.ts'
import { checkHealth } from '../../directory/health.ts'
import { type Bound, on } from '../route.ts'

export const health: Bound[] = [on(GetHealth, ({ ctx }) => checkHealth(ctx))]
