/** The script of the page at /docs, for the browser: it reads openapi.json and shows every route with a form to try it. */

/** Whatever it shows is set as text, never as markup. */
export const SCRIPT = `
const make = (name, about = {}, ...children) => {
  const element = Object.assign(document.createElement(name), about)
  element.append(...children)
  return element
}
const pretty = (value) => JSON.stringify(value, null, 2)
const field = (parameter) => {
  const said = parameter.description || parameter.schema.description || ''
  const input = make('input', { placeholder: parameter.required ? 'required' : String(parameter.schema.default ?? '') })
  return { parameter, input, label: make('label', {}, make('code', { textContent: parameter.name }), ' ', input, ' ', make('span', { className: 'said', textContent: said })) }
}
const showSchema = (content) => content && content.schema ? [make('pre', { textContent: pretty(content.schema) })] : []

const send = async (path, method, fields, body, type, out) => {
  const url = new URL(path.replace(/\\{(\\w+)\\}/g, (_, name) => {
    const named = fields.find(({ parameter }) => parameter.in === 'path' && parameter.name === name)
    return encodeURIComponent(named ? named.input.value : '')
  }), location.origin)
  const headers = new Headers()
  const key = document.getElementById('key').value
  const account = document.getElementById('account').value
  if (key) headers.set('authorization', 'Bearer ' + key)
  if (account) headers.set('x-account', account)
  for (const { parameter, input } of fields) {
    if (!input.value) continue
    if (parameter.in === 'query') url.searchParams.append(parameter.name, input.value)
    if (parameter.in === 'header') headers.set(parameter.name, input.value)
  }
  if (body) headers.set('content-type', type)
  out.textContent = '…'
  try {
    const answer = await fetch(url, { method, headers, body: body ? body.value : undefined })
    const text = await answer.text()
    let shown = text
    try { shown = pretty(JSON.parse(text)) } catch {}
    out.textContent = answer.status + ' ' + answer.statusText + '\\n' + shown
  } catch (error) {
    out.textContent = String(error)
  }
}

const showRoute = (path, method, operation) => {
  const fields = operation.parameters.filter(({ name }) => name !== 'X-Account').map(field)
  const [type, content] = Object.entries((operation.requestBody || { content: {} }).content)[0] || []
  const body = type ? make('textarea', { value: content.example ? pretty(content.example) : '' }) : undefined
  const out = make('pre')
  const button = make('button', { textContent: 'Send', type: 'button' })
  button.addEventListener('click', () => send(path, method.toUpperCase(), fields, body, type, out))
  const answers = Object.entries(operation.responses).map(([status, answer]) => make('li', {}, make('code', { textContent: status }), ' ' + answer.description))
  const [, done] = Object.entries(operation.responses).find(([status]) => status.startsWith('2')) || []
  return make('details', {},
    make('summary', {}, make('code', { className: 'method', textContent: method.toUpperCase() }), make('code', { textContent: path }), ' ', make('span', { className: 'said', textContent: operation.summary })),
    make('p', { textContent: operation.description }),
    make('p', { className: 'fields' }, ...fields.map(({ label }) => label)),
    ...(body ? [make('p', { textContent: 'Body (' + type + ')' }), body, ...showSchema(content)] : []),
    make('p', {}, button), out,
    make('ul', {}, ...answers),
    ...(done && done.content ? showSchema(done.content['application/json']) : []))
}

const show = (api) => {
  document.getElementById('about').textContent = api.info.description
  const routes = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
  const sections = api.tags.map(({ name }) => make('section', {}, make('h2', { textContent: name }),
    ...routes.filter(({ operation }) => operation.tags.includes(name)).map(({ path, method, operation }) => showRoute(path, method, operation))))
  const schemas = make('details', {}, make('summary', { textContent: 'Schemas' }), make('pre', { textContent: pretty(api.components.schemas) }))
  document.getElementById('routes').replaceChildren(...sections, schemas)
}

fetch('/openapi.json').then((answer) => answer.json()).then(show).catch((error) => {
  document.getElementById('routes').textContent = String(error)
})
`
