import * as z from 'zod'
import { route } from './route.ts'

export const GetHealth = route({
  method: 'GET',
  path: '/health',
  tag: 'Service',
  summary: 'Whether the service can reach its storage.',
  scope: 'public',
  answer: z.object({ status: z.literal('ok') }),
  problems: ['service_unavailable'],
})
