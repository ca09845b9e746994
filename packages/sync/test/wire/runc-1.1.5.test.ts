import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { dialects } from '../../src/dialects.ts';

function captured(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`runc-1.1.5/${name}`, import.meta.url)));
}

const dialect = dialects['runc-1.1.0'];

/** The sync messages at the end of what one end of a captured run wrote. */
function syncBytes(name: string): string {
  const text = new TextDecoder().decode(captured(name));
  return text.slice(text.indexOf('{"type":"proc'));
}

test.each([
  ['create.child', ['procHooks', 'procReady']],
  ['create.parent', ['procResume', 'procRun']],
  ['create-many-settings.child', ['procHooks', 'procReady']],
  ['create-many-settings.parent', ['procResume', 'procRun']],
] as const)('runc 1.1.0 writes the messages of %s byte for byte', (name, types) => {
  const bytes = types.flatMap((type) => dialect.encode(dialect.message(type)));
  expect(bytes.map((one) => new TextDecoder().decode(one)).join('')).toBe(syncBytes(name));
});

test.each(['create-failing.child', 'exec-failing.child'])(
  'runc 1.1.0 writes the failure of %s byte for byte',
  (name) => {
    const text = 'exec: "/bin/nope": stat /bin/nope: no such file or directory';
    const bytes = dialect.encode(dialect.failure(text));
    const written = bytes.map((one) => new TextDecoder().decode(one)).join('');
    expect(syncBytes(name).endsWith(written)).toBe(true);
  },
);
