import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hostRootIds } from './host-root-ids.ts';
import { decodeProcessSpec, encodeProcessSpec, type ProcessSpec } from './process-json.ts';
import { decodeContainerState, encodeContainerState } from './state-json.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`../../test/containerd/layout/${name}`, import.meta.url), 'utf8');

test.each(['process-init.json', 'process-exec.json', 'process-nil.json'])(
  'encodeProcessSpec writes the bytes of %s again that decodeProcessSpec read',
  (name) => {
    expect(encodeProcessSpec(decodeProcessSpec(fixture(name), name))).toBe(fixture(name));
  },
);

test.each(['state.json', 'state-unlabelled.json'])(
  'encodeContainerState writes the bytes of %s again that decodeContainerState read',
  (name) => {
    expect(encodeContainerState(decodeContainerState(fixture(name), name))).toBe(fixture(name));
  },
);

test('decodeProcessSpec tells what the flat keys are about', () => {
  expect(decodeProcessSpec(fixture('process-exec.json'), 'x')).toEqual({
    process: {
      terminal: false,
      user: { uid: 1000, gid: 1000, additionalGids: [4, 27] },
      args: ['id'],
      cwd: '/home',
    },
    exec: true,
    checkpoint: '',
    rootUid: 100_000,
    rootGid: 100_000,
    stdio: { stdin: '/dev/null', stdout: '/tmp/e1/stdout', stderr: '/tmp/e1/stderr' },
  });
});

const id = fc.nat(0xffff_ffff);
const path = fc.string({ minLength: 1 });
const spec: fc.Arbitrary<ProcessSpec> = fc.record({
  process: fc.record({
    terminal: fc.boolean(),
    user: fc.record({ uid: id, gid: id }),
    args: fc.array(fc.string({ unit: 'binary' })),
    env: fc.array(fc.string(), { minLength: 1 }),
    cwd: fc.string(),
    noNewPrivileges: fc.boolean(),
    rlimits: fc.array(
      fc.record({
        type: fc.constant('RLIMIT_NOFILE'),
        soft: fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
        hard: fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
      }),
    ),
  }),
  exec: fc.boolean(),
  checkpoint: fc.string(),
  rootUid: id,
  rootGid: id,
  stdio: fc.record({ stdin: path, stdout: path, stderr: path }),
});

test('decodeProcessSpec reads what encodeProcessSpec wrote, newer fields and numbers of 64 bits too', () => {
  fc.assert(
    fc.property(spec, (written) => {
      const text = encodeProcessSpec(written);
      expect(text).not.toMatch(/[<>&]|.\n./s);
      expect(decodeProcessSpec(text, 'x')).toEqual(written);
    }),
  );
});

test('decodeContainerState reads what encodeContainerState wrote', () => {
  const text = fc.string();
  const state = fc.record({
    bundle: text.map((rest) => `/${rest}`),
    labels: fc.option(fc.array(text)),
    stdin: text,
    stdout: text,
    stderr: text,
  });
  fc.assert(
    fc.property(state, (written) => {
      expect(decodeContainerState(encodeContainerState(written), 'x')).toEqual(written);
    }),
  );
});

test.each(['', '{}', '[]', '{"args":[1],"cwd":"/"}', '{"args":null}', '{"args":null,"cwd":"/"'])(
  'decodeProcessSpec refuses %j',
  (text) => {
    expect(() => decodeProcessSpec(text, '/s/process.json')).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_BAD_RECORD' }),
    );
  },
);

test('decodeProcessSpec takes an empty path for /dev/null', () => {
  expect(decodeProcessSpec('{"args":null,"cwd":"/","containerdStdin":""}', 'x').stdio).toEqual({
    stdin: '/dev/null',
    stdout: '/dev/null',
    stderr: '/dev/null',
  });
});

test('hostRootIds follows the maps of a user namespace, and is 0 without one or without a map of 0', () => {
  const process = { args: ['id'], cwd: '/' };
  const base = { ociVersion: '1.2.0', process, root: { path: '/' } };
  const maps = (containerID: number) => ({
    uidMappings: [
      { containerID: 5, hostID: 1, size: 1 },
      { containerID, hostID: 100_000, size: 10 },
    ],
    gidMappings: [{ containerID, hostID: 200_000, size: 10 }],
  });
  const user = { namespaces: [{ type: 'user' as const }] };
  expect(hostRootIds(base)).toEqual({ rootUid: 0, rootGid: 0 });
  expect(hostRootIds({ ...base, linux: maps(0) })).toEqual({ rootUid: 0, rootGid: 0 });
  expect(hostRootIds({ ...base, linux: { ...user, ...maps(0) } })).toEqual({
    rootUid: 100_000,
    rootGid: 200_000,
  });
  expect(hostRootIds({ ...base, linux: { ...user, ...maps(6) } })).toEqual({
    rootUid: 0,
    rootGid: 0,
  });
});
