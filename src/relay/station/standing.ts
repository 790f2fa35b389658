/**
 * Which connections this isolate has to each server: one that takes no further connection while it serves another batch is busy, and
 * does not fail. Counted, and no more: a connection belongs to its batch alone.
 */

/** A connection of which nothing was heard for so long belonged to an invocation that is dead. */
const SILENT_MS = 4 * 60_000

const standing = new Map<string, Map<object, number>>()

/** Notes that the connection stands. */
export function stands(server: string, connection: object, now: number): void {
  const connections = standing.get(server) ?? new Map<object, number>()
  standing.set(server, connections.set(connection, now))
}

export function fell(server: string, connection: object): void {
  const connections = standing.get(server)
  connections?.delete(connection)
  if (connections?.size === 0) standing.delete(server)
}

/** Whether any connection to the server stands. */
export function isServing(server: string, now: number): boolean {
  return [...(standing.get(server)?.values() ?? [])].some((heard) => now - heard < SILENT_MS)
}
