/** Templates: written once, published, and sent with variables. Resend's paths; rendering is ours. */
import { deleted, ListQuery, list } from '../common.ts'
import { route } from '../route.ts'
import {
  CreateTemplateBody,
  RenderBody,
  RenderedTemplate,
  TemplateLine,
  TemplateReference,
  TemplateView,
  UpdateTemplateBody,
  VersionLine,
  VersionView,
} from './shapes.ts'

export const CreateTemplate = route({
  method: 'POST',
  path: '/templates',
  tag: 'Templates',
  summary: 'Make a template. It is a draft until it is published.',
  scope: 'templates:write',
  body: CreateTemplateBody,
  status: 201,
  creates: true,
  answer: TemplateReference,
  problems: ['validation_error', 'payload_too_large'],
})

export const ListTemplates = route({
  method: 'GET',
  path: '/templates',
  tag: 'Templates',
  summary: 'List templates.',
  scope: 'templates:read',
  query: ListQuery,
  answer: list(TemplateLine),
})

export const GetTemplate = route({
  method: 'GET',
  path: '/templates/:id',
  tag: 'Templates',
  summary: 'Get a template by id or alias, with the content of its draft.',
  scope: 'templates:read',
  answer: TemplateView,
  problems: ['not_found'],
})

export const UpdateTemplate = route({
  method: 'PATCH',
  path: '/templates/:id',
  tag: 'Templates',
  summary: 'Change a template’s draft, name or alias. What is published goes on being sent.',
  scope: 'templates:write',
  body: UpdateTemplateBody,
  answer: TemplateReference,
  problems: ['not_found', 'validation_error', 'payload_too_large'],
})

export const DeleteTemplate = route({
  method: 'DELETE',
  path: '/templates/:id',
  tag: 'Templates',
  summary: 'Delete a template.',
  scope: 'templates:write',
  answer: deleted('template'),
  problems: ['not_found'],
})

export const PublishTemplate = route({
  method: 'POST',
  path: '/templates/:id/publish',
  tag: 'Templates',
  summary: 'Make the draft what is sent from now on.',
  scope: 'templates:write',
  answer: TemplateReference,
  problems: ['not_found'],
})

export const DuplicateTemplate = route({
  method: 'POST',
  path: '/templates/:id/duplicate',
  tag: 'Templates',
  summary: 'Make a copy of the draft, with an id of its own and no alias.',
  scope: 'templates:write',
  status: 201,
  creates: true,
  answer: TemplateReference,
  problems: ['not_found', 'validation_error'],
})

export const ListTemplateVersions = route({
  method: 'GET',
  path: '/templates/:id/versions',
  tag: 'Templates',
  summary: 'What was published, the last first. The last hundred versions are kept.',
  scope: 'templates:read',
  query: ListQuery,
  answer: list(VersionLine),
  problems: ['not_found'],
})

export const GetTemplateVersion = route({
  method: 'GET',
  path: '/templates/:id/versions/:version',
  tag: 'Templates',
  summary: 'One version by its number, with its content.',
  scope: 'templates:read',
  answer: VersionView,
  problems: ['not_found'],
})

export const RestoreTemplateVersion = route({
  method: 'POST',
  path: '/templates/:id/versions/:version/restore',
  tag: 'Templates',
  summary: 'Make the draft what a version was. It is sent once it is published.',
  scope: 'templates:write',
  answer: TemplateReference,
  problems: ['not_found'],
})

export const RenderTemplate = route({
  method: 'POST',
  path: '/templates/:id/render',
  tag: 'Templates',
  summary: 'See what a template becomes with these variables. Nothing is sent or stored.',
  scope: 'templates:read',
  body: RenderBody,
  answer: RenderedTemplate,
  problems: ['not_found', 'missing_required_field', 'validation_error', 'payload_too_large'],
})
