/** What `npm start` runs: sees to it that this Node can read the rest, which is TypeScript, and says what to do if not. */

/** The first Node that runs TypeScript as it is; wrangler wants 22.12. */
const OLDEST = [22, 18]

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  console.error(
    [
      `Pochta needs Node ${OLDEST.join('.')} or newer; this is ${process.versions.node} (${process.execPath}).`,
      'It brings its own Node 24 along, which was not set up. To set it up:',
      '',
      '  npm ci',
      '',
      'and let the package `node` run its install script: package.json allows it in `allowScripts`;',
      'where npm was told `ignore-scripts`, run `npm rebuild node --ignore-scripts=false` after it.',
      'Then start with `npm start`, which takes that Node.',
    ].join('\n'),
  )
  process.exit(1)
}

const { start } = await import('./start.ts')
process.exit(await start(process.env))
