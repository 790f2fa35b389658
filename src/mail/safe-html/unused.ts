/** Stands in the bundle (wrangler.toml) for what sanitize-html names and, with our options, never calls: a CSS parser and dates. */
export function parse(): never {
  throw new Error('styles are read by style.ts')
}
