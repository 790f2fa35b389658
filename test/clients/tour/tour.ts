/** One way through all that we serve of Resend's client, for every version: what a version does not have is left out. */
import type { Tenant } from '../../flow/service.ts'

/** Of what was answered all that the tour goes on with. */
export type Shown = { id: string; download_url: string; data: { id: string; status: string }[] }

/** Every answer that the tour goes on with has these fields; were one not there, the call that follows would fail. */
export function asShown(answer: unknown): Shown {
  return answer as Shown
}

export type World = {
  tenant: Tenant
  /** Of a webhook receiver that takes everything. */
  hook: string
  /** Makes a mail arrive, with an attachment. */
  receive(subject: string): Promise<void>
  /** Waits until the condition holds of what the call answers. */
  wait(call: () => Promise<Shown | undefined>, holds: (shown: Shown) => boolean): Promise<void>
  /** Calls a method, which must succeed; undefined where the version lacks it. */
  visit(method: string, ...args: unknown[]): Promise<Shown | undefined>
}

export async function tour(world: World): Promise<void> {
  await sending(world)
  await batches(world)
  await receiving(world)
  await domains(world)
  await keys(world)
  await suppressions(world)
  await templates(world)
  await webhooks(world)
}

const mail = ({ tenant }: World) => ({
  from: `Me <${tenant.address}>`,
  to: ['Ann <ann@away.test>'],
  subject: 's',
  text: 't',
})

async function sending(world: World): Promise<void> {
  const { visit } = world
  const content = Buffer.from([0, 13, 10, 255])
  const attachments = [
    { filename: 'a.bin', content },
    { filename: 'b.bin', content: content.toString('base64') },
  ]
  const sent = await visit('emails.send', { ...mail(world), attachments, tags: [{ name: 'kind', value: 'tour' }] })
  await visit('emails.create', mail(world))
  await visit('emails.get', sent?.id)
  await visit('emails.list', { limit: 2 })
  const attached = await visit('emails.attachments.list', { emailId: sent?.id })
  await visit('emails.attachments.get', { emailId: sent?.id, id: attached?.data[0]?.id })
  const scheduledAt = new Date(Date.now() + 86_400_000).toISOString()
  const later = await visit('emails.send', { ...mail(world), scheduledAt })
  await visit('emails.update', { id: later?.id, scheduledAt })
  await visit('emails.cancel', later?.id)
}

async function batches(world: World): Promise<void> {
  await world.visit('batch.send', [mail(world), mail(world)])
  await world.visit('batch.create', [mail(world)])
}

async function receiving(world: World): Promise<void> {
  const { visit } = world
  await world.receive('First')
  const emailId = (await visit('emails.receiving.list', { limit: 1 }))?.data[0]?.id
  await visit('emails.receiving.get', emailId)
  const attached = await visit('emails.receiving.attachments.list', { emailId })
  await visit('emails.receiving.attachments.get', { emailId, id: attached?.data[0]?.id })
  await visit('emails.receiving.forward', { emailId, from: world.tenant.address, to: 'eve@away.test' })
}

async function domains({ visit }: World): Promise<void> {
  const made = await visit('domains.create', { name: 'tour.clients.test', region: 'eu-west-1' })
  await visit('domains.get', made?.id)
  await visit('domains.list')
  await visit('domains.update', { id: made?.id, openTracking: false, clickTracking: false })
  await visit('domains.verify', made?.id)
  await visit('domains.remove', made?.id)
}

async function keys({ visit, tenant }: World): Promise<void> {
  const made = await visit('apiKeys.create', { name: `of ${tenant.domain}`, permission: 'sending_access' })
  await visit('apiKeys.list')
  await visit('apiKeys.update', made?.id, { name: 'Renamed' })
  await visit('apiKeys.remove', made?.id)
}

async function suppressions({ visit }: World): Promise<void> {
  const made = await visit('suppressions.add', { email: 'gone@away.test' })
  await visit('suppressions.get', made?.id)
  await visit('suppressions.list', { limit: 10 })
  await visit('suppressions.remove', 'gone@away.test')
  const emails = ['a@gone.test', 'b@gone.test']
  await visit('suppressions.batch.add', { emails })
  await visit('suppressions.batch.remove', { emails })
}

async function templates({ visit }: World): Promise<void> {
  const variables = [{ key: 'NAME', type: 'string', fallbackValue: 'you' }]
  const content = { name: 'Tour', alias: 'tour', subject: 'Hi', html: '<p>Hi {{{NAME}}}</p>', variables }
  const made = await visit('templates.create', content)
  await visit('templates.update', made?.id, { text: 'Hi {{{NAME}}}' })
  await visit('templates.publish', made?.id)
  await visit('templates.get', 'tour')
  await visit('templates.list')
  const copy = await visit('templates.duplicate', made?.id)
  await visit('templates.remove', copy?.id)
  await visit('templates.remove', made?.id)
}

async function webhooks(world: World): Promise<void> {
  const { visit } = world
  const made = await visit('webhooks.create', { endpoint: world.hook, events: ['email.received', 'email.sent'] })
  if (!made) return
  await visit('webhooks.get', made.id)
  await visit('webhooks.list')
  await visit('webhooks.rotateSigningSecret', made.id)
  await world.receive('Second')
  const list = () => visit('webhooks.events.list', { webhookId: made.id })
  await world.wait(list, ({ data }) => data.some(({ status }) => status === 'success'))
  const event = { webhookId: made.id, eventId: (await list())?.data[0]?.id }
  await visit('webhooks.events.get', event)
  await visit('webhooks.events.attempts.list', event)
  await visit('webhooks.events.replay', event)
  await visit('webhooks.update', made.id, { status: 'disabled', events: ['email.bounced'] })
  await visit('webhooks.remove', made.id)
}

/** A mail with an attachment. */
export function incoming(to: string, subject: string): string {
  return [
    'From: Ann <ann@away.test>',
    `To: ${to}`,
    `Subject: ${subject}`,
    `Message-ID: <${subject}@away.test>`,
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=m',
    '',
    '--m',
    '',
    'Hello',
    '--m',
    'Content-Type: application/pdf; name="a.pdf"',
    'Content-Disposition: attachment; filename="a.pdf"',
    'Content-ID: <a@x>',
    '',
    'PDF',
    '--m--',
    '',
  ].join('\r\n')
}
