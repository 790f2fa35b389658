/** Lets so many through at a time, the others in the order in which they came. */
export class Gate {
  private places: number
  private readonly waiting: (() => void)[] = []

  constructor(places: number) {
    this.places = places
  }

  async pass<T>(act: () => Promise<T>): Promise<T> {
    if (this.places > 0) this.places--
    else await new Promise<void>((resolve) => this.waiting.push(resolve))
    try {
      return await act()
    } finally {
      // A place goes straight to whoever waits, so that nobody can slip in between.
      const next = this.waiting.shift()
      if (next) next()
      else this.places++
    }
  }
}
