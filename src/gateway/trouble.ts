/** Why a local copy cannot run, in words for whoever started it. Anything else that is thrown is a bug. */
export class StartTrouble extends Error {
  /** Lines of a log that may say more. */
  readonly log: string

  constructor(message: string, log = '') {
    super(message)
    this.name = 'StartTrouble'
    this.log = log
  }
}
