/** The figures as a table: plain for the terminal, or Markdown. */
import type { Cost } from './load.ts'

export type Row = {
  what: string
  unit: string
  /** What it is measured beside, in the same run: the floor, or what the note names. */
  floor?: number
  ours?: number
  ratio?: number
  cost?: Cost
  note?: string
}

const HEADS = ['', 'unit', 'floor', 'Pochta', 'ratio', 'D1 trips', 'rows written', 'rows read', 'R2 put/get', '']

/** Lines of equal columns, or of Markdown. */
export function render(rows: readonly Row[], markdown: boolean): string {
  const table = [HEADS, ...rows.map(cells)]
  if (markdown) {
    const [head = [], ...body] = table.map((line) => `| ${line.join(' | ')} |`)
    return [head, `|${HEADS.map((_, at) => (at > 1 && at < 9 ? '---:' : '---')).join('|')}|`, ...body].join('\n')
  }
  const widths = HEADS.map((_, at) => Math.max(...table.map((line) => line[at]?.length ?? 0)))
  const aligned = (line: string[]) =>
    line.map((cell, at) => (at > 1 && at < 9 ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
  return table.map((line) => aligned(line).join('  ').trimEnd()).join('\n')
}

function cells({ what, unit, floor, ours, ratio, cost, note }: Row): string[] {
  const costs = cost
    ? [one(cost.trips), one(cost.written), one(cost.read), `${one(cost.puts)}/${one(cost.gets)}`]
    : ['', '', '', '']
  return [
    what,
    unit,
    number(floor),
    number(ours),
    ratio === undefined ? '' : `× ${ratio.toFixed(2)}`,
    ...costs,
    note ?? '',
  ]
}

function number(value: number | undefined): string {
  if (value === undefined) return ''
  return value >= 100 ? value.toFixed(0) : value.toFixed(1)
}

function one(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1)
}
