import * as z from 'zod'
import { route } from './route.ts'

export const GetHealth = route({
  method: 'GET',
  path: '/health',
  tag: 'Service',
  summary: 'Whether the service can reach its storage.',
  scope: 'public',
  answer: z.object({
    status: z.enum(['ok', 'degraded']),
    down: z.array(z.string()).optional().meta({
      description: 'Mail databases that do not answer: accounts whose mail is there are put off, others served.',
    }),
  }),
  problems: ['service_unavailable'],
})
