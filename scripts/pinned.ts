/** Installs the clients of others that test/clients runs, where they are not there yet or are not those of the lock. */
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = join(import.meta.dirname, '../test/clients/pinned')

/** npm writes it last, when all is installed. */
const INSTALLED = join(FOLDER, 'node_modules/.package-lock.json')

if (writtenAt(INSTALLED) < writtenAt(join(FOLDER, 'package-lock.json'))) {
  // Nothing of theirs needs a script of its own to be installed, so none is run.
  const npm = spawnSync('npm', ['ci', '--prefix', FOLDER, '--ignore-scripts'], { stdio: 'inherit' })
  if (npm.status !== 0) {
    console.error(`The clients that the tests run are not installed. Run: npm ci --prefix test/clients/pinned`)
    process.exitCode = 1
  }
}

/** Before all else, of a file that is not there. */
function writtenAt(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
