/** How far work on stored mail has come. */
import { isoTime } from '../record/email-event.ts'
import type { RunState } from '../store/receiving/runs.ts'

/** What every run tells of itself. */
export function progressOf(id: string, state: RunState) {
  const { status, checked, matched, changed, unread, createdAt, finishedAt } = state
  return {
    id,
    status,
    checked,
    matched,
    changed,
    unread,
    created_at: isoTime(createdAt),
    finished_at: finishedAt === undefined ? null : isoTime(finishedAt),
  }
}
