/** What describes the API: for programs, and for readers. */
import * as z from 'zod'
import { route } from './route.ts'

export const GetOpenApi = route({
  method: 'GET',
  path: '/openapi.json',
  tag: 'Service',
  summary: 'This description: every route, made from the same schemas that validate.',
  scope: 'public',
  answer: z.looseObject({ openapi: z.literal('3.1.0') }),
})

export const GetDocs = route({
  method: 'GET',
  path: '/docs',
  tag: 'Service',
  summary: 'A page to read every route, and to try it with a key.',
  scope: 'public',
  answers: 'text/html',
})
