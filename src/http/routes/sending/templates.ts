import * as contract from '../../../contract/templates/routes.ts'
import {
  createTemplate,
  deleteTemplate,
  duplicateTemplate,
  publishTemplate,
  restoreTemplate,
  updateTemplate,
} from '../../../submission/templates/edit.ts'
import { getTemplate, listTemplates, renderTemplate } from '../../../submission/templates/show.ts'
import { getVersion, listVersions } from '../../../submission/templates/versions.ts'
import { type Bound, on, param } from '../../route.ts'

export const templates: Bound[] = [
  on(contract.CreateTemplate, ({ ctx, body, once }) => createTemplate(ctx, body, once)),
  on(contract.ListTemplates, ({ ctx, query }) => listTemplates(ctx, query)),
  on(contract.GetTemplate, ({ ctx, params }) => getTemplate(ctx, param(params, 'id'))),
  on(contract.UpdateTemplate, ({ ctx, params, body }) => updateTemplate(ctx, param(params, 'id'), body)),
  on(contract.DeleteTemplate, ({ ctx, params }) => deleteTemplate(ctx, param(params, 'id'))),
  on(contract.PublishTemplate, ({ ctx, params }) => publishTemplate(ctx, param(params, 'id'))),
  on(contract.DuplicateTemplate, ({ ctx, params, once }) => duplicateTemplate(ctx, param(params, 'id'), once)),
  on(contract.ListTemplateVersions, ({ ctx, params, query }) => listVersions(ctx, param(params, 'id'), query)),
  on(contract.GetTemplateVersion, ({ ctx, params }) => getVersion(ctx, param(params, 'id'), param(params, 'version'))),
  on(contract.RestoreTemplateVersion, ({ ctx, params }) =>
    restoreTemplate(ctx, param(params, 'id'), param(params, 'version')),
  ),
  on(contract.RenderTemplate, ({ ctx, params, body }) => renderTemplate(ctx, param(params, 'id'), body)),
]
