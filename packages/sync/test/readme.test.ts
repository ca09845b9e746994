import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const example = new URL('readme-example.ts', import.meta.url);

test('README.md shows the example that the tests run', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  expect(blocks).toEqual([readFileSync(example, 'utf8')]);
});

test('README.md has an example that prints what it says', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    '--conditions=@pilotlight/source',
    fileURLToPath(example),
  ]);
  expect({ stdout, stderr }).toEqual({ stdout: 'succeeded\n', stderr: '' });
});
