/** Downloads by signed links: made by us, followed without a key. */
import { route } from './route.ts'

export const FollowRawLink = route({
  method: 'GET',
  path: '/links/raw/:token',
  tag: 'Messages',
  summary: 'A message byte for byte, by a signed link.',
  scope: 'link',
  answers: 'message/rfc822',
  problems: ['not_found'],
})

export const FollowAttachmentLink = route({
  method: 'GET',
  path: '/links/attachments/:token',
  tag: 'Messages',
  summary: 'The bytes of an attachment, by a signed link.',
  scope: 'link',
  answers: 'application/octet-stream',
  problems: ['not_found'],
})
