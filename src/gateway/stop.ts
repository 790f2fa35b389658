/** Waiting for one thing while another may call it off. */

/** The work's result; rejects with the signal's reason as soon as that is given, whatever becomes of the work. */
export async function unlessStopped<T>(stop: AbortSignal, work: Promise<T>): Promise<T> {
  stop.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(stop.reason)
  stop.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work, promise])
  } finally {
    stop.removeEventListener('abort', onAbort)
    // Nobody waits for it any more; its failure is no crash.
    work.catch(() => {})
  }
}
