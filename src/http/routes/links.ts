import { FollowAttachmentLink, FollowRawLink } from '../../contract/links.ts'
import { followAttachmentLink, followRawLink } from '../../mailbox/attachments.ts'
import { download } from '../download.ts'
import { type Bound, on, param } from '../route.ts'

export const links: Bound[] = [
  on(FollowRawLink, async ({ ctx, params }) => download(await followRawLink(ctx, param(params, 'token')))),
  on(FollowAttachmentLink, async ({ ctx, params }) =>
    download(await followAttachmentLink(ctx, param(params, 'token'))),
  ),
]
