/** The pages of what was found: a row for each method, a column for each client. */

/** `works`, `differs: …`, `not served: …`, or `not run: …`. */
export type Outcome = string

export type Column = { title: string; outcomes: ReadonlyMap<string, Outcome> }

export function tableOf(first: string, columns: readonly Column[]): string {
  const rows = [...new Set(columns.flatMap(({ outcomes }) => [...outcomes.keys()]))].sort()
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const counts = columns.map(({ title, outcomes }) => {
    const kinds = [...outcomes.values()].map((outcome) => outcome.split(':')[0] ?? '')
    const told = [...Map.groupBy(kinds, (kind) => kind)].sort().map(([kind, all]) => `${kind}: ${all.length}`)
    return `- ${title}: ${told.join(', ')}.`
  })
  return [
    '<!-- Written by the tests in test/clients/tour, which fail where it is not true. Anew: npm run vitest -- run test/clients/tour -u -->',
    '',
    ...counts,
    '',
    line([first, ...columns.map(({ title }) => title)]),
    line(['---', ...columns.map(() => '---')]),
    ...rows.map((row) => line([`\`${row}\``, ...columns.map(({ outcomes }) => outcomes.get(row) ?? '')])),
    '',
  ].join('\n')
}

/** The compiler's reason nearest to the fault, without the answer itself, which is another one at every run. */
export function shorten(complaint: string): string {
  const deepest = complaint.split('\n').at(-1) ?? complaint
  return `differs: ${deepest.replace(/^TS\d+: /, '').replace(/^Type '\{.{40,}\}' (?=is (?:missing|not))/, 'the answer ')}`
}
