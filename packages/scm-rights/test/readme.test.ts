import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

describe('README', () => {
  it('README has an example that does what it says', async () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const [, example] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@pilotlight/source', '--input-type=module-typescript', '--eval', example!],
      { cwd: new URL('..', import.meta.url) },
    );
    expect(stdout).toBe('here you are true\n');
  });
});
