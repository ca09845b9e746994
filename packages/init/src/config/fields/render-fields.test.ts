import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderFields } from './render-fields.ts';
import { specFields } from './spec-fields.ts';

const page = join(import.meta.dirname, '../../../../../docs/config.md');

describe('renderFields', () => {
  it('renderFields makes docs/config.md as it is committed; `pnpm docs:fields` writes it', () => {
    expect(readFileSync(page, 'utf8')).toBe(renderFields(specFields()));
  });

  it('renderFields has a line for each row', () => {
    const lines = renderFields(specFields()).split('\n');
    for (const { field, status } of specFields()) {
      const start = `| \`${field}\``;
      expect(lines.some((line) => line.startsWith(start) && line.includes(`| ${status} `))).toBe(
        true,
      );
    }
  });
});
