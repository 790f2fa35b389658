/** What is logged: one JSON line a fact, ids and codes only, never a body, an address book or a secret. */

export type Log = (
  level: 'info' | 'warn' | 'error',
  fact: string,
  about?: Record<string, string | number | boolean>,
) => void

/** Writes to the console, which the platform keeps. */
export const consoleLog: Log = (level, fact, about = {}) => {
  console[level](JSON.stringify({ level, fact, ...about }))
}

/** What an error may be told of in a log: its name and text, cut short. */
export function describeError(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return text.slice(0, 500)
}
