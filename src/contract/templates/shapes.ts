/** Templates as requests and answers show them. Resend's shapes; `version` is ours. */
import * as z from 'zod'
import { HeaderText, Id, Time } from '../common.ts'

/** Resend gives these a meaning of their own. */
const RESERVED = ['FIRST_NAME', 'LAST_NAME', 'EMAIL', 'UNSUBSCRIBE_URL', 'contact', 'this']

/** As many as Resend takes. */
const MAX_VARIABLES = 50

/** A list that somebody wrote out in HTML fits, and a thousand places for it still make a bounded mail. */
const MAX_VALUE = 65_536

const Key = z
  .string()
  .regex(/^[A-Za-z0-9_]{1,50}$/, { error: 'must be 1 to 50 of A-Z a-z 0-9 _' })
  .refine((key) => !RESERVED.includes(key), { error: `is reserved, as are ${RESERVED.join(', ')}` })

const Variable = z.discriminatedUnion('type', [
  z.strictObject({ key: Key, type: z.literal('string'), fallback_value: z.string().max(MAX_VALUE).nullish() }),
  z.strictObject({ key: Key, type: z.literal('number'), fallback_value: z.number().nullish() }),
])

const Variables = z
  .array(Variable)
  .max(MAX_VARIABLES)
  .refine((variables) => new Set(variables.map(({ key }) => key)).size === variables.length, {
    error: 'names a variable twice',
  })
  .meta({
    description: 'One without a fallback must be given whenever the template is sent.',
    example: [{ key: 'NAME', type: 'string', fallback_value: 'there' }],
  })

const Name = HeaderText.min(1).max(255)

const Alias = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, {
    error: 'must be 1 to 128 of A-Z a-z 0-9 . _ -, and begin with none of . _ -',
  })
  .refine((alias) => !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(alias), { error: 'must not look like an id' })
  .meta({ description: 'A name to call it by in place of its id.' })

const Header = HeaderText.max(2000)

const ReplyTo = z.union([Header, z.array(Header).max(50)])

const Html = z.string().min(1).meta({
  description: '`{{NAME}}` is escaped, `{{{NAME}}}` is put in as it is.',
  example: '<p>Hi {{NAME}}</p>',
})

export const CreateTemplateBody = z
  .strictObject({
    name: Name.meta({ example: 'Welcome' }),
    alias: Alias.nullish(),
    from: Header.nullish(),
    subject: Header.nullish().meta({ example: 'Hello {{NAME}}' }),
    reply_to: ReplyTo.nullish(),
    html: Html,
    text: z.string().nullish(),
    variables: Variables.nullish(),
  })
  .meta({ id: 'CreateTemplate' })

export type CreateTemplateBody = z.output<typeof CreateTemplateBody>

export const UpdateTemplateBody = z
  .strictObject({
    name: Name.optional(),
    alias: Alias.nullish(),
    from: Header.nullish(),
    subject: Header.nullish(),
    reply_to: ReplyTo.nullish(),
    html: Html.optional(),
    text: z.string().nullish(),
    variables: Variables.nullish(),
  })
  .meta({ id: 'UpdateTemplate', description: 'What is left out stays; null empties it.' })

export type UpdateTemplateBody = z.output<typeof UpdateTemplateBody>

/** Values for variables; those that the template does not know are passed over. */
export const Values = z
  .record(z.string(), z.union([z.string().max(MAX_VALUE), z.number()]))
  .meta({ description: 'Values by the names of the variables.', example: { NAME: 'Ann' } })

const VersionNumber = z.int().min(1).max(999_999_999)

/** How a send names its template. */
export const TemplateUse = z
  .strictObject({
    id: z.string().min(1).max(128).meta({ description: 'Its id or alias.' }),
    variables: Values.nullish(),
    version: VersionNumber.nullish().meta({ description: 'Ours: an older version in place of the published one.' }),
  })
  .meta({ description: 'A published template in place of html and text.' })

export const RenderBody = z
  .strictObject({
    variables: Values.nullish(),
    version: z
      .union([z.enum(['draft', 'published']), VersionNumber])
      .default('draft')
      .meta({
        description: 'Which content to render: the draft’s, the published one, or that of a version by its number.',
      }),
  })
  .meta({ id: 'RenderTemplate' })

export type RenderBody = z.output<typeof RenderBody>

export const TemplateReference = z.object({ object: z.literal('template'), id: Id })

const Status = z.enum(['draft', 'published'])

export const TemplateLine = z.object({
  id: Id,
  name: z.string(),
  alias: z.string().nullable(),
  status: Status,
  published_at: Time.nullable(),
  created_at: Time,
  updated_at: Time,
})

const Content = z.object({
  subject: z.string().nullable(),
  from: z.string().nullable(),
  reply_to: z.array(z.string()).nullable(),
  html: z.string(),
  text: z.string().nullable(),
})

const VariablesView = z.array(
  z.object({
    key: z.string(),
    type: z.enum(['string', 'number']),
    fallback_value: z.union([z.string(), z.number()]).nullable(),
    created_at: Time,
    updated_at: Time,
  }),
)

export const VersionLine = z.object({
  id: Id,
  version: z.int().meta({ description: '1 for what was published first.' }),
  published_at: Time,
  is_current: z.boolean().meta({ description: 'Whether it is what is sent now.' }),
})

export const VersionView = z
  .object({ object: z.literal('template_version'), template_id: Id, ...VersionLine.shape, ...Content.shape })
  .extend({ variables: VariablesView })
  .meta({ id: 'TemplateVersion', description: 'What was published once. It never changes.' })

export const TemplateView = TemplateReference.extend(TemplateLine.shape)
  .extend(Content.shape)
  .extend({
    variables: VariablesView,
    has_unpublished_versions: z.boolean().meta({ description: 'Whether the draft shown here is not what is sent.' }),
    current_version_id: Id.meta({ description: 'Of the draft: a new one with every change of its content.' }),
    version: z.int().meta({ description: 'The number of the published version; 0 before the first.' }),
  })
  .meta({ id: 'Template', description: 'With the content of its draft.' })

export const RenderedTemplate = TemplateReference.extend({ version: z.union([Status, z.int()]) }).extend(Content.shape)
