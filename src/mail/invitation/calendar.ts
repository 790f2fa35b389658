/** The parsed form of a calendar object (RFC 5545), by ical.js: bounded before it is parsed, and never thrown out of. */
import ICAL from 'ical.js'

/** A component as RFC 7265 writes it, with what is no component or property left out. */
export type Component = { name: string; properties: Property[]; components: Component[] }

/** `values` are as ical.js gives them: texts, numbers, objects of recurrence. */
export type Property = { name: string; params: Record<string, unknown>; type: string; values: unknown[] }

/** Characters. Invitations have some thousands; one with a picture in it is no better understood for it. */
export const MAX_CALENDAR = 256 * 1024

/** BEGIN lines: alarms, zones and the events of a series. The parser takes memory for each. */
const MAX_COMPONENTS = 500

/** VCALENDAR, VEVENT, VALARM; each level is a call deep. */
const MAX_DEPTH = 8

/** The first calendar of a text; undefined where it is none, or beyond a bound. */
export function parseCalendar(text: string): Component | undefined {
  const lines = linesOf(text)
  if (!lines || !isBounded(lines)) return undefined
  try {
    const parsed: unknown = ICAL.parse(lines.join('\r\n'))
    const roots = Array.isArray(parsed) && Array.isArray(parsed[0]) ? parsed : [parsed]
    return roots.map((root) => asComponent(root)).find((root) => root?.name === 'vcalendar')
  } catch {
    // Broken objects are common, and the parser says so in many ways.
    return undefined
  }
}

export function firstProperty(component: Component, name: string): Property | undefined {
  return component.properties.find((property) => property.name === name)
}

/** A property's first value, where it is text. */
export function textOf(component: Component, name: string): string | undefined {
  const value = firstProperty(component, name)?.values[0]
  return typeof value === 'string' ? value : undefined
}

/** A parameter's first value. */
export function paramOf(property: Property, name: string): string | undefined {
  const value = property.params[name]
  const first: unknown = Array.isArray(value) ? value[0] : value
  return typeof first === 'string' ? first : undefined
}

/** Unfolded lines from the first BEGIN:VCALENDAR on. QUIRK: lines that are none of a calendar's are dropped, as readers do. */
function linesOf(text: string): string[] | undefined {
  if (text.length > MAX_CALENDAR) return undefined
  const begin = /BEGIN:VCALENDAR/i.exec(text)
  if (!begin) return undefined
  return text
    .slice(begin.index)
    .replace(/\r\n?/g, '\n')
    .replace(/\n[ \t]/g, '')
    .replace(/[\0-\x08\x0b-\x1f\x7f]/g, '')
    .split('\n')
    .filter((line) => /^[A-Za-z0-9-]{1,60}[:;]/.test(line) && line.includes(':'))
}

function isBounded(lines: readonly string[]): boolean {
  let depth = 0
  let components = 0
  for (const line of lines) {
    if (/^BEGIN:/i.test(line)) {
      components++
      depth++
    } else if (/^END:/i.test(line)) depth--
    if (depth > MAX_DEPTH || components > MAX_COMPONENTS || depth < 0) return false
  }
  return true
}

function asComponent(value: unknown): Component | undefined {
  if (!Array.isArray(value)) return undefined
  const [name, properties, components]: unknown[] = value
  if (typeof name !== 'string' || !Array.isArray(properties) || !Array.isArray(components)) return undefined
  return {
    name,
    properties: properties.flatMap((property) => asProperty(property) ?? []),
    components: components.flatMap((component) => asComponent(component) ?? []),
  }
}

function asProperty(value: unknown): Property | undefined {
  if (!Array.isArray(value)) return undefined
  const [name, params, type, ...values]: unknown[] = value
  if (typeof name !== 'string' || typeof type !== 'string' || !isRecord(params)) return undefined
  return { name, params, type, values }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
