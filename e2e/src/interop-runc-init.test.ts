// Our parent drives the unmodified `runc init` of runc 1.1: standard and setns, success and failure.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dialects, type StreamChannel } from '@pilotlight/sync/dialects';
import { createHandshake, expectSync, isPeerInitError, stringifyExactJson } from '@pilotlight/sync';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BusyboxBundle, makeBundle, missing } from './init-bundle.ts';
import { RuncInit, type RuncMessage } from './runc-init.ts';

const dialect = dialects['runc-1.1.0'];
const lacking = missing('root', 'busybox-static', 'runc') || needsRunc11();

/** The bytes on this wire are those of the 1.1 series. */
function needsRunc11(): string {
  try {
    return execFileSync('runc', ['--version'], { encoding: 'utf8' }).includes('runc version 1.1.')
      ? ''
      : ' (needs runc 1.1)';
  } catch {
    return ' (needs runc)';
  }
}

const CLONE_FLAGS = 27281;
const NS_PATHS = 27282;
const ROOTLESS_EUID = 27287;
const newPidNetIpcUtsMount = 0x6c02_0000;

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

/** The netlink message that the C part of runc reads first. */
function bootstrap(...attributes: [type: number, payload: Uint8Array][]): Uint8Array {
  const parts = attributes.map(([type, payload]) => {
    const attribute = Buffer.alloc(4 + Math.ceil(payload.length / 4) * 4);
    attribute.writeUInt16LE(4 + payload.length, 0);
    attribute.writeUInt16LE(type, 2);
    attribute.set(payload, 4);
    return attribute;
  });
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + body.length, 0);
  header.writeUInt16LE(62000, 4);
  header.writeUInt16LE(1, 6);
  header.writeUInt32LE(1, 8);
  return Buffer.concat([header, body]);
}

const standardBootstrap = bootstrap(
  [CLONE_FLAGS, int32(newPidNetIpcUtsMount)],
  [ROOTLESS_EUID, int32(0)],
);

function config(bundle: BusyboxBundle, args: string[], change: Record<string, unknown> = {}) {
  const device = (path: string, major: number, minor: number) => ({
    type: 99,
    major,
    minor,
    permissions: 'rwm',
    allow: true,
    path,
    file_mode: 0o666,
    uid: 0,
    gid: 0,
  });
  return {
    args,
    env: ['PATH=/bin'],
    cwd: '/',
    capabilities: null,
    no_new_privileges: false,
    user: '0:0',
    containerid: 'interop',
    passed_files_count: 0,
    spec_state: { ociVersion: '1.0.2-dev', id: 'interop', status: 'stopped', bundle: bundle.path },
    config: {
      rootfs: bundle.rootfs,
      namespaces: ['NEWPID', 'NEWNET', 'NEWIPC', 'NEWUTS', 'NEWNS'].map((type) => ({
        type,
        path: '',
      })),
      mounts: [
        {
          source: 'proc',
          destination: '/proc',
          device: 'proc',
          flags: 0,
          propagation_flags: null,
          data: '',
        },
      ],
      devices: [device('/dev/null', 1, 3), device('/dev/zero', 1, 5)],
      cgroups: { name: 'interop', path: '' },
    },
    ...change,
  };
}

/** Answers what comes until the end; the order is checked by the library's own table. */
async function answer(
  channel: StreamChannel<RuncMessage>,
  kind: 'standard' | 'setns',
): Promise<string[]> {
  const handshake = createHandshake(dialect.handshakes[kind], 'parent');
  const received: string[] = [];
  for (;;) {
    const next = await channel.receive();
    if (next === undefined) {
      handshake.ended();
      return received;
    }
    const { type } = next.message;
    received.push(type);
    handshake.received(type);
    if (type === 'procError') throw next.message;
    const reply = dialect.types[type].reply;
    if (reply === undefined) continue;
    handshake.sent(reply as RuncMessage['type']);
    await channel.send(dialect.message(reply as RuncMessage['type']));
  }
}

describe.skipIf(lacking !== '')(`runc init under our parent${lacking}`, () => {
  let bundle: BusyboxBundle;
  beforeAll(() => {
    bundle = makeBundle();
  });
  // runc makes its devices in the root file system itself here: each test begins without.
  beforeEach(() => {
    rmSync(join(bundle.rootfs, 'dev'), { recursive: true });
    mkdirSync(join(bundle.rootfs, 'dev'));
  });
  afterAll(() => bundle.remove());

  const standard = (bytes: Uint8Array = standardBootstrap): RuncInit =>
    new RuncInit({ type: 'standard', bootstrap: bytes, rootfs: bundle.rootfs });

  it('creates, starts and runs a program to its end', async () => {
    await using init = standard();
    const channel = await init.toStage2();
    init.sendConfig(stringifyExactJson(config(bundle, ['sh', '-c', 'echo I am $$; exit 5'])));
    expect(await answer(channel!, 'standard')).toEqual(['procHooks', 'procReady']);
    expect(await init.start()).toBe('0');
    expect(await init.ended()).toMatchObject({ code: 5 });
    expect(await init.stdout).toBe('I am 1\n');
    expect(await init.stage0).toBe(0);
  });

  it('takes 64-bit limits as they are', async () => {
    await using init = standard();
    const channel = await init.toStage2();
    const limits = [{ type: 4, hard: 18446744073709551615n, soft: 18446744073709551615n }];
    init.sendConfig(
      stringifyExactJson(config(bundle, ['sh', '-c', 'ulimit -c'], { rlimits: limits })),
    );
    expect(await answer(channel!, 'standard')).toEqual(['procHooks', 'procReady']);
    await init.start();
    expect(await init.ended()).toMatchObject({ code: 0 });
  });

  it('joins a container that runs, and says nothing but the end', async () => {
    await using container = standard();
    const first = await container.toStage2();
    container.sendConfig(stringifyExactJson(config(bundle, ['sleep', '1000'])));
    await answer(first!, 'standard');
    await container.start();

    const paths = ['ipc', 'uts', 'net', 'pid', 'mnt']
      .map((type) => `${type}:/proc/${container.pid}/ns/${type}`)
      .join(',');
    const joinMessage = bootstrap(
      [CLONE_FLAGS, int32(0)],
      [NS_PATHS, Buffer.from(`${paths}\0`)],
      [ROOTLESS_EUID, int32(0)],
    );
    const joinNow = () =>
      new RuncInit({ type: 'setns', bootstrap: joinMessage, rootfs: bundle.rootfs });
    {
      await using joined = joinNow();
      const channel = await joined.toStage2();
      joined.sendConfig(stringifyExactJson(config(bundle, ['sh', '-c', 'ps; exit 6'])));
      expect(await answer(channel!, 'setns')).toEqual([]);
      expect(await joined.ended()).toMatchObject({ code: 6 });
      expect(await joined.stdout).toContain('sleep 1000');
    }
    {
      await using joined = joinNow();
      const channel = await joined.toStage2();
      joined.sendConfig(stringifyExactJson(config(bundle, ['/bin/nope'])));
      await expect(expectSync(channel!, [])).rejects.toSatisfy(
        (error: unknown) => isPeerInitError(error) && error.text.includes('/bin/nope'),
      );
      expect(await joined.ended()).toMatchObject({ code: 1 });
    }
  });

  const failures: [
    what: string,
    change: (made: ReturnType<typeof config>) => object,
    after: string[],
    text: string,
  ][] = [
    [
      'a program that does not exist',
      (made) => ({ ...made, args: ['/bin/nope'] }),
      ['procHooks', 'procReady'],
      '/bin/nope',
    ],
    ['no spec_state', (made) => ({ ...made, spec_state: undefined }), ['procHooks'], 'panic'],
    [
      'no /dev/null among the devices',
      (made) => ({ ...made, config: { ...made.config, devices: made.config.devices.slice(1) } }),
      ['procHooks'],
      '/dev/null',
    ],
    [
      'a limit that a double has rounded',
      (made) => ({ ...made, rlimits: [{ type: 7, hard: 2 ** 64, soft: 1 }] }),
      [],
      'cannot unmarshal number',
    ],
  ];
  it.each(failures)('reports by procError: %s', async (_what, change, after, reason) => {
    await using init = standard();
    const channel = await init.toStage2();
    // JSON.stringify on purpose: it writes the number as the mistake would.
    init.sendConfig(JSON.stringify(change(config(bundle, ['true']))));
    for (const type of after) {
      expect((await channel!.receive())?.message.type).toBe(type);
      const reply = dialect.types[type as RuncMessage['type']].reply;
      await channel!.send(dialect.message(reply as RuncMessage['type']));
    }
    await expect(expectSync(channel!, ['procReady'])).rejects.toSatisfy(
      (error: unknown) => isPeerInitError(error) && error.text.includes(reason),
    );
    expect(await init.ended()).toMatchObject({ code: 1 });
  });

  it('says on the log what is wrong with a bootstrap message, and hangs up', async () => {
    await using init = standard(bootstrap([12345, int32(0)]));
    expect(await init.toStage2()).toBeUndefined();
    expect(await init.stage0).toBe(1);
    expect(await init.log).toMatch(
      /"level":"fatal", "msg": "nsexec.*unknown netlink message type 12345/,
    );
  });
});
