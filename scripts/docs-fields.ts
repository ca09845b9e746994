// Writes docs/config.md from the table of fields.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderFields } from '../packages/init/src/config/fields/render-fields.ts';
import { specFields } from '../packages/init/src/config/fields/spec-fields.ts';

writeFileSync(join(import.meta.dirname, '../docs/config.md'), renderFields(specFields()));
