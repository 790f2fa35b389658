/** Style attributes: the declarations that only change how text looks. Nothing that loads, runs, escapes or covers. */

/** Real ones are a tenth of this. */
const MAX_STYLE = 4096

const PROPERTIES = new Set(
  (
    'background background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width ' +
    'border-collapse border-color border-left border-left-color border-left-style border-left-width border-radius ' +
    'border-right border-right-color border-right-style border-right-width border-spacing border-style border-top ' +
    'border-top-color border-top-style border-top-width border-width clear color direction display empty-cells float ' +
    'font font-family font-size font-style font-variant font-weight height letter-spacing line-height list-style ' +
    'list-style-position list-style-type margin margin-bottom margin-left margin-right margin-top max-height max-width ' +
    'min-height min-width opacity overflow-wrap padding padding-bottom padding-left padding-right padding-top ' +
    'table-layout text-align text-decoration text-indent text-transform unicode-bidi vertical-align visibility ' +
    'white-space width word-break word-spacing word-wrap'
  ).split(' '),
)

/** Words, numbers, colours, names of fonts. No backslash, which spells anything; no slash, which opens comments. */
const VALUE = /^[\w\s#%.,!'"+()\-\u0080-\uffff]{1,500}$/

/** The one use of parentheses that loads nothing. */
const COLOUR = /\b(?:rgb|hsl)a?\([\d\s.,%]{1,60}\)/gi

/** Below nothing, text would lie over what is not the mail's. */
const NEGATIVE = /(?:^|\s)-\s*[\d.]/

/** The declarations that may stay, in their order; empty where none may. */
export function safeStyle(style: string): string {
  if (style.length > MAX_STYLE) return ''
  return style
    .split(';')
    .flatMap((declaration) => {
      const colon = declaration.indexOf(':')
      const name = declaration.slice(0, Math.max(0, colon)).trim().toLowerCase()
      const value = declaration.slice(colon + 1).trim()
      return colon > 0 && PROPERTIES.has(name) && isHarmless(name, value) ? [`${name}: ${value}`] : []
    })
    .join('; ')
}

function isHarmless(name: string, value: string): boolean {
  if (!VALUE.test(value) || /[()]/.test(value.replace(COLOUR, ''))) return false
  return !(NEGATIVE.test(value) && /^(?:margin|text-indent|letter-spacing|word-spacing)/.test(name))
}
