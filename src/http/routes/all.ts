/** Every route, for the app and for the published description. */
import type { Bound } from '../route.ts'
import { health } from './health.ts'
import { inbound } from './inbound.ts'
import { sending } from './sending.ts'

export const routes: readonly Bound[] = [...health, ...inbound, ...sending]
