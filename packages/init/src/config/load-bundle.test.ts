import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidConfigError } from '../errors.ts';
import { hostRootSpec } from './host-root-spec.ts';
import { loadBundle, parseSpec, validateSpec } from './load-bundle.ts';
import type { OciSpec } from './oci-spec.ts';
import { stockSpec } from './stock-spec.ts';

const isRoot = process.getuid?.() === 0;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pilotlight-bundle-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function refusal(attempt: () => unknown): Promise<InvalidConfigError> {
  try {
    await attempt();
  } catch (error) {
    if (error instanceof InvalidConfigError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

/** The stock specification with one place of it replaced. */
function specWith(place: string, value: unknown): unknown {
  const spec: unknown = stockSpec();
  const names = place.split('.');
  const last = names.pop()!;
  let inner = spec as Record<string, unknown>;
  for (const name of names) inner = inner[name] as Record<string, unknown>;
  inner[last] = value;
  return spec;
}

describe('loadBundle', () => {
  it('loadBundle reads a config.json and makes the path absolute', async () => {
    writeFileSync(join(directory, 'config.json'), JSON.stringify(stockSpec()));
    const bundle = await loadBundle(directory);
    expect(bundle.path).toBe(directory);
    expect(bundle.spec).toEqual(stockSpec());
  });

  it('loadBundle says which file is missing and what makes one', async () => {
    const error = await refusal(() => loadBundle(directory));
    expect(error.message).toBe(
      `read ${join(directory, 'config.json')}: ENOENT (no such file or directory)`,
    );
    expect(error.hint).toContain('pilotlight spec');
    expect(error.code).toBe('ERR_INIT_INVALID_CONFIG');
    expect((error.cause as NodeJS.ErrnoException).code).toBe('ENOENT');
  });

  it('loadBundle says that a bundle is no directory', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    expect((await refusal(() => loadBundle(file))).message).toContain('ENOTDIR');
  });

  it('loadBundle says that config.json is a directory', async () => {
    mkdirSync(join(directory, 'config.json'));
    expect((await refusal(() => loadBundle(directory))).message).toContain('EISDIR');
  });

  it.skipIf(isRoot)(
    'loadBundle says that config.json cannot be read (needs: not root)',
    async () => {
      const file = join(directory, 'config.json');
      writeFileSync(file, JSON.stringify(stockSpec()));
      chmodSync(file, 0);
      const error = await refusal(() => loadBundle(directory));
      expect(error.message).toContain('EACCES (permission denied)');
      expect(error.hint).toContain('readable');
    },
  );

  it('loadBundle names the file when its text was cut short, wherever the cut is', async () => {
    const text = JSON.stringify(stockSpec());
    for (let length = 0; length < text.length; length += 97) {
      writeFileSync(join(directory, 'config.json'), text.slice(0, length));
      const error = await refusal(() => loadBundle(directory));
      expect(error.message).toContain('config.json is not valid JSON');
      expect(error.hint).toContain('cut short');
    }
  });
});

describe('parseSpec', () => {
  it.each(['null', '[]', '7', '"text"', 'true'])(
    'parseSpec refuses %s for a configuration',
    async (text) => {
      const error = await refusal(() => parseSpec(text));
      expect(error.field).toBe('');
      expect(error.message).toMatch(/^config\.json: the configuration: /);
    },
  );

  it('parseSpec refuses text that is nested without end, and says so', async () => {
    const error = await refusal(() => parseSpec('['.repeat(1_000_000)));
    expect(error.message).toContain('not valid JSON');
    expect(error.message.length).toBeLessThan(1000);
  });

  it('parseSpec drops properties that the specification does not know', () => {
    const spec = parseSpec(JSON.stringify({ ...stockSpec(), 'org.example.extra': { deep: [1] } }));
    expect(spec).toEqual(stockSpec());
  });
});

describe('validateSpec', () => {
  it.each<[name: string, spec: OciSpec]>([
    ['stockSpec', stockSpec()],
    ['hostRootSpec', hostRootSpec({ args: ['true'] })],
  ])('validateSpec accepts what %s makes, unchanged', (_, spec) => {
    expect(validateSpec(structuredClone(spec))).toEqual(spec);
  });

  it.each([
    ['ociVersion', '2.0.0', 'ociVersion'],
    ['ociVersion', 1, 'ociVersion'],
    ['process', undefined, 'process'],
    ['process.args', [], 'process.args'],
    ['process.args', 'sh', 'process.args'],
    ['process.args', ['a\0b'], 'process.args[0]'],
    ['process.args', ['ok', '\ud800'], 'process.args[1]'],
    ['process.env', ['A=1', 'B'], 'process.env[1]'],
    ['process.env', ['=1'], 'process.env[0]'],
    ['process.env', ['A=\0'], 'process.env[0]'],
    ['process.cwd', 'tmp', 'process.cwd'],
    ['process.cwd', '/a\0', 'process.cwd'],
    ['process.terminal', 'yes', 'process.terminal'],
    ['process.consoleSize', { height: 65_536, width: 80 }, 'process.consoleSize.height'],
    ['process.user', { uid: -1 }, 'process.user.uid'],
    // To setresuid(2) this number means "leave it": the program would stay root.
    ['process.user', { uid: 0xffff_ffff }, 'process.user.uid'],
    ['process.user', { gid: 0xffff_ffff }, 'process.user.gid'],
    ['process.user', { uid: 1.5 }, 'process.user.uid'],
    ['process.user', { additionalGids: [0xffff_ffff] }, 'process.user.additionalGids[0]'],
    ['process.rlimits', [{ type: 'RLIMIT_CPU', soft: -1, hard: 1 }], 'process.rlimits[0].soft'],
    [
      'process.rlimits',
      [{ type: 'RLIMIT_CPU', soft: 1, hard: 1n << 64n }],
      'process.rlimits[0].hard',
    ],
    ['process.oomScoreAdj', 1001, 'process.oomScoreAdj'],
    ['root.path', '', 'root.path'],
    ['root.path', 'a\0b', 'root.path'],
    ['hostname', 'x'.repeat(65), 'hostname'],
    // 33 letters, 66 bytes
    ['hostname', 'é'.repeat(33), 'hostname'],
    ['domainname', 'x'.repeat(65), 'domainname'],
    ['mounts', [{ destination: '' }], 'mounts[0].destination'],
    ['mounts', [{ destination: '/a', source: '\0' }], 'mounts[0].source'],
    ['mounts', [{ destination: '/a', options: ['a\0b'] }], 'mounts[0].options[0]'],
    ['linux.namespaces', [{ type: 'pids' }], 'linux.namespaces[0].type'],
    ['linux.maskedPaths', ['proc/kcore'], 'linux.maskedPaths[0]'],
    ['linux.readonlyPaths', ['proc/sys'], 'linux.readonlyPaths[0]'],
    ['linux.cgroupsPath', '/a\0', 'linux.cgroupsPath'],
    [
      'linux.resources',
      { devices: [{ allow: true, access: 'x' }] },
      'linux.resources.devices[0].access',
    ],
    ['linux.resources', { devices: [{ access: 'r' }] }, 'linux.resources.devices[0].allow'],
  ])(
    'validateSpec refuses a wrong %s and names the field, case %#',
    async (place, value, field) => {
      const error = await refusal(() => validateSpec(specWith(place, value)));
      expect(error.field).toBe(field);
      expect(error.message).toContain(`config.json: ${field}: `);
      expect(error.cause).toBeDefined();
    },
  );

  it('validateSpec accepts a host name of 64 bytes', () => {
    expect(validateSpec(specWith('hostname', 'é'.repeat(32)))).toBeDefined();
  });

  it('validateSpec counts the fields that are wrong as well', async () => {
    const error = await refusal(() =>
      validateSpec({ ...stockSpec(), hostname: 7, root: { path: '' }, mounts: 'none' }),
    );
    expect(error.message).toMatch(/\(and 2 more\)$/);
  });
});
