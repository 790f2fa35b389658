/** The Date field (RFC 5322 section 3.3, with the obsolete forms of section 4.3). */
import { withoutComments } from './header.ts'

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const ZONES = new Map([
  ['EST', -300],
  ['EDT', -240],
  ['CST', -360],
  ['CDT', -300],
  ['MST', -420],
  ['MDT', -360],
  ['PST', -480],
  ['PDT', -420],
])

/** No date is longer; the rest would only be comments. */
const MAX_DATE = 200

/** The time in ms since 1970, or undefined where the text is no date. No zone, or an unknown one, means UTC. */
export function parseDate(field: string): number | undefined {
  const words = withoutComments(field.slice(0, MAX_DATE))
    .split(/[\s,]+/)
    .filter(Boolean)
  const first = words.findIndex((word) => /^\d/.test(word))
  // `1-Jan-2024`, of mailers before RFC 822, is read as if written apart.
  const [day = '', month = '', year = '', clock = '', zone = ''] = (words[first] ?? '')
    .split('-')
    .concat(words.slice(first + 1))
  const index = MONTHS.indexOf(month.slice(0, 3).toLowerCase())
  const time = /^(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:\.\d{1,9})?)?$/.exec(clock)
  if (index < 0 || !/^\d{1,2}$/.test(day) || !/^\d{2,4}$/.test(year)) return isoDate(words.join(' '))
  const [hours, minutes, seconds] = [Number(time?.[1] ?? 0), Number(time?.[2] ?? 0), Number(time?.[3] ?? 0)]
  if (clock !== '' && !time) return undefined
  const lastDay = new Date(Date.UTC(fullYear(year), index + 1, 0)).getUTCDate()
  if (Number(day) < 1 || Number(day) > lastDay || hours > 23 || minutes > 59 || seconds > 60) return undefined
  return Date.UTC(fullYear(year), index, Number(day), hours, minutes, seconds) - zoneMinutes(zone) * 60_000
}

/** Two and three digits as RFC 5322 section 4.3 asks. */
function fullYear(text: string): number {
  const year = Number(text)
  if (text.length >= 4) return year
  return text.length === 2 && year < 50 ? year + 2000 : year + 1900
}

function zoneMinutes(zone: string): number {
  const offset = /^(?:GMT|UTC?)?([+-])(\d{2}):?(\d{2})$/i.exec(zone)
  if (!offset) return ZONES.get(zone.toUpperCase()) ?? 0
  return (Number(offset[2]) * 60 + Number(offset[3])) * (offset[1] === '-' ? -1 : 1)
}

/** QUIRK: some programs write ISO 8601, which is unambiguous where it has a zone. */
function isoDate(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d{1,9})?(?:Z| ?[+-]\d{2}:?\d{2})$/.test(text))
    return undefined
  const time = Date.parse(
    text
      .replace(' ', 'T')
      .replace(' ', '')
      .replace(/([+-]\d{2})(\d{2})$/, '$1:$2'),
  )
  return Number.isNaN(time) ? undefined : time
}
