import { toBase64 } from '../../base/bytes.ts'
import { GetDocs, GetOpenApi } from '../../contract/docs.ts'
import { describeApi } from '../docs/openapi.ts'
import { docsPage } from '../docs/page.ts'
import { type Bound, on } from '../route.ts'

/** Describes the routes it is given and itself; they are asked for late, because it is one of them. */
export function docs(all: () => readonly Bound[]): Bound[] {
  // Neither the routes nor the settings change in the life of an isolate.
  let described: Record<string, unknown> | undefined
  const describe = (server: string) => {
    described ??= describeApi(
      all().map(({ spec }) => spec),
      server,
    )
    return described
  }
  return [
    on(GetOpenApi, async ({ ctx }) => asDescription(describe(ctx.config.PUBLIC_URL))),
    on(GetDocs, async ({ ctx }) => docsPage(toBase64(ctx.random(16)))),
  ]
}

/** `describeApi` says 3.1.0, among much else. */
function asDescription(api: Record<string, unknown>): { openapi: '3.1.0' } {
  return api as { openapi: '3.1.0' }
}
