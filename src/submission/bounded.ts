/** Work on many things, so many at a time. */

/** Does `work` on each, at most `most` at once; the answers are in the order of the things. What is thrown first is thrown, and nothing more begun. */
export async function boundedMap<T, R>(
  things: readonly T[],
  most: number,
  work: (thing: T) => Promise<R>,
): Promise<R[]> {
  const answers: R[] = []
  const left = things.entries()
  let failed = false
  const hand = async () => {
    for (const [at, thing] of left) {
      if (failed) return
      try {
        answers[at] = await work(thing)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, things.length) }, hand))
  return answers
}
