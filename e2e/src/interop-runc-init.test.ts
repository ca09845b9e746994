// Our parent drives the unmodified `runc init` of runc 1.1: standard and setns, success and failure.
import { deepStrictEqual } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dialects, type StreamChannel } from '@pilotlight/sync/dialects';
import { createHandshake, expectSync, isPeerInitError } from '@pilotlight/sync';
import { encodeBootstrap, namespaceCloneFlags } from '@pilotlight/sync/bootstrap';
import { encodeInitConfig, type InitConfig } from '@pilotlight/sync/init-config';
import { decodeWaitStatus, pidfdOpen, pidfdSendSignal, waitPidfd } from '@pilotlight/scm-rights';
import { waitid } from '@pilotlight/scm-rights/libc';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { type BusyboxBundle, childrenOf, missing } from './init-bundle.ts';
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

const newNamespaces = (['pid', 'net', 'ipc', 'uts', 'mnt'] as const).reduce(
  (flags, type) => flags | namespaceCloneFlags[type],
  0,
);
const standardBootstrap = encodeBootstrap(
  { cloneFlags: newNamespaces, rootlessEuid: false },
  'runc-1.1',
);

function config(bundle: BusyboxBundle, args: string[]): InitConfig {
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
          data: '',
        },
      ],
      devices: [device('/dev/null', 1, 3), device('/dev/zero', 1, 5)],
      cgroups: { name: 'interop', path: '' },
    },
  };
}

const encode = (made: InitConfig): string => encodeInitConfig(made, 'runc-1.1');

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
  const bundle = useCleanBundle();
  let children: number[];
  // runc makes its devices in the root file system itself here: each test begins without.
  beforeEach(() => {
    rmSync(join(bundle.rootfs, 'dev'), { recursive: true });
    mkdirSync(join(bundle.rootfs, 'dev'));
    children = childrenOf(process.pid);
  });
  // The stages of runc are children of this process, and zombies until they are reaped.
  afterEach(() => deepStrictEqual(childrenOf(process.pid), children));

  const standard = (bytes: Uint8Array = standardBootstrap): RuncInit =>
    new RuncInit({ type: 'standard', bootstrap: bytes, rootfs: bundle.rootfs });

  it('creates, starts and runs a program to its end', async () => {
    await using init = standard();
    const channel = await init.toStage2();
    init.sendConfig(encode(config(bundle, ['sh', '-c', 'echo I am $$; exit 5'])));
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
    init.sendConfig(encode({ ...config(bundle, ['sh', '-c', 'ulimit -c']), rlimits: limits }));
    expect(await answer(channel!, 'standard')).toEqual(['procHooks', 'procReady']);
    await init.start();
    expect(await init.ended()).toMatchObject({ code: 0 });
  });

  it('joins a container that runs, and says nothing but the end', async () => {
    await using container = standard();
    const first = await container.toStage2();
    container.sendConfig(encode(config(bundle, ['sleep', '1000'])));
    await answer(first!, 'standard');
    await container.start();

    const joinMessage = encodeBootstrap(
      {
        cloneFlags: 0,
        nsPaths: (['ipc', 'uts', 'net', 'pid', 'mnt'] as const).map((type) => ({
          type,
          path: `/proc/${container.pid}/ns/${type}`,
        })),
        rootlessEuid: false,
      },
      'runc-1.1',
    );
    const joinNow = () =>
      new RuncInit({ type: 'setns', bootstrap: joinMessage, rootfs: bundle.rootfs });
    {
      await using joined = joinNow();
      const channel = await joined.toStage2();
      joined.sendConfig(encode(config(bundle, ['sh', '-c', 'ps; exit 6'])));
      expect(await answer(channel!, 'setns')).toEqual([]);
      expect(await joined.ended()).toMatchObject({ code: 6 });
      expect(await joined.stdout).toContain('sleep 1000');
    }
    {
      await using joined = joinNow();
      const channel = await joined.toStage2();
      joined.sendConfig(encode(config(bundle, ['/bin/nope'])));
      await expect(expectSync(channel!, [])).rejects.toSatisfy(
        (error: unknown) => isPeerInitError(error) && error.text.includes('/bin/nope'),
      );
      expect(await joined.ended()).toMatchObject({ code: 1 });
    }
  });

  const failures: [
    what: string,
    change: (made: InitConfig) => object,
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
      (made) => ({ ...made, config: { ...made.config, devices: made.config?.devices?.slice(1) } }),
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
    // The number of the first attribute is what the C part does not know.
    const unknown = Uint8Array.from(standardBootstrap);
    new DataView(unknown.buffer).setUint16(18, 12345, true);
    await using init = standard(unknown);
    expect(await init.toStage2()).toBeUndefined();
    expect(await init.stage0).toBe(1);
    expect(await init.log).toMatch(
      /"level":"fatal", "msg": "nsexec.*unknown netlink message type 12345/,
    );
  });

  it('is at its end for us when it is killed while it waits for procResume', async () => {
    await using init = standard();
    const channel = await init.toStage2();
    init.sendConfig(encode(config(bundle, ['true'])));
    expect((await channel!.receive())?.message.type).toBe('procHooks');
    using pidfd = pidfdOpen(init.pid);
    pidfdSendSignal(pidfd, 'SIGKILL');
    expect(await channel!.receive()).toBeUndefined();
    expect(await init.ended()).toMatchObject({ signal: 9 });
  });

  it('ends by itself when the parent hangs up after procHooks', async () => {
    await using init = standard();
    const channel = await init.toStage2();
    init.sendConfig(encode(config(bundle, ['true'])));
    expect((await channel!.receive())?.message.type).toBe('procHooks');
    channel!.close();
    const status = await init.ended();
    expect(status).toMatchObject({ code: expect.any(Number) });
    expect(status).not.toMatchObject({ code: 0 });
  });

  it('says on the log what kind of namespace it cannot join, and hangs up', async () => {
    const path = join(bundle.path, 'no-namespace');
    writeFileSync(path, '');
    const bootstrap = encodeBootstrap(
      { cloneFlags: 0, nsPaths: [{ type: 'net', path }], rootlessEuid: false },
      'runc-1.1',
    );
    await using init = new RuncInit({ type: 'setns', bootstrap, rootfs: bundle.rootfs });
    expect(await init.toStage2()).toBeUndefined();
    expect(await init.stage0).toBe(1);
    const log = await init.log;
    const fatal = /"level":"fatal", "msg": "nsexec-1\[(\d+)\]: failed to setns into net namespace/;
    expect(log).toMatch(fatal);
    // It is a child of ours too, and has not told its pid otherwise.
    using pidfd = pidfdOpen(Number(fatal.exec(log)?.[1]));
    await waitPidfd(pidfd);
    expect(decodeWaitStatus(waitid(pidfd.fd)!.status)).toMatchObject({ code: expect.any(Number) });
  });
});
