import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);

describe('README', () => {
  it('README opens with an example, and has no more than are run here', () => {
    expect(readme.indexOf('```')).toBe(readme.indexOf('```ts'));
    expect(examples).toHaveLength(2);
  });

  it.each([
    [0, 'a character device: true\nhere you are\n'],
    [1, 'a packet 2\n'],
  ])('README example %i does what it says', async (index, output) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--conditions=@pilotlight/source',
        '--input-type=module-typescript',
        '--eval',
        examples[index]!,
      ],
      { cwd: new URL('..', import.meta.url), timeout: 20_000 },
    );
    expect(stdout).toBe(output);
  });
});
