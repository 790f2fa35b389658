import { ListEvents } from '../../contract/events.ts'
import { listEvents } from '../../webhook/feed.ts'
import { type Bound, on } from '../route.ts'

export const events: Bound[] = [on(ListEvents, ({ ctx, query }) => listEvents(ctx, query))]
