// A child that was taken over says what it likes on the sync socket; nothing but bounded text comes of it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { isLaunchError, launch, type LaunchError, type Zygote } from '@pilotlight/init';
import { fdNumber, pidfdOpen } from '@pilotlight/scm-rights';
import { close, fcntlDupfd, loadLibc, sendmsg } from '@pilotlight/scm-rights/libc';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { missing, newId, shellSpec } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
/** More than any of our own errors needs. */
const mostCharacters = 10_000;

/** Its child says these packets and then nothing more. */
function hostile(packets: readonly Uint8Array[]): Zygote {
  const setsockopt = loadLibc().func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);
  return {
    async fork({ fds }) {
      const child = spawn('sleep', ['600'], { stdio: 'ignore' });
      const ended = once(child, 'exit').then(([code, name]) => ({
        code: code as number | null,
        signal: name === null ? null : constants.signals[name as NodeJS.Signals],
        core: false,
        raw: 0,
      }));
      const pidfd = pidfdOpen(child.pid!);
      const sync = fcntlDupfd(fdNumber(fds.sync), 0);
      setsockopt(sync, SOL_SOCKET, SO_SNDBUFFORCE, new Int32Array([8 << 20]), 4);
      for (const packet of packets) sendmsg(sync, packet);
      close(sync);
      return {
        pid: child.pid!,
        pidfd,
        ended,
        reap: () => Promise.resolve(),
        forget: () => undefined,
      };
    },
    close: () => Promise.resolve(),
  };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const procError = (arg: string): Uint8Array => bytes(`{"type":"procError","flags":0,"arg":${arg}}`);
const megabyte = 'x'.repeat(1 << 20);
const escapes = '\\u001b]0;title\\u0007\\u001b[2J\\u009b31m\\r';

describe.skipIf(lacking !== '')(`a hostile child${lacking}`, () => {
  const bundle = useCleanBundle();

  async function failureOf(...packets: Uint8Array[]): Promise<LaunchError> {
    const error: unknown = await launch(
      { id: newId(), spec: shellSpec('true'), bundle: bundle.path },
      { zygote: hostile(packets), stdio: ['ignore', 'ignore', 'ignore'], launchTimeoutMs: 10_000 },
    ).catch((failure: unknown) => failure);
    expect(error).toSatisfy(isLaunchError);
    const failure = error as LaunchError;
    const { message, step, hint = '', path = '', cause } = failure;
    const because = cause instanceof Error ? cause.message : '';
    for (const text of [message, step, hint, path, because]) {
      expect(text.length).toBeLessThan(mostCharacters);
    }
    expect(failure.message).not.toBe('');
    return failure;
  }

  it.each([
    ['a megabyte of text', procError(`{"message":"${megabyte}"}`)],
    ['a megabyte that is no message', bytes(megabyte)],
    ['text up to the limit of a packet', procError(`{"message":"${'y'.repeat(200_000)}"}`)],
    [
      'a path and a hint up to that limit',
      procError(`{"message":"no","path":"${'/'.repeat(90_000)}","hint":"${'h'.repeat(90_000)}"}`),
    ],
    [
      'escape sequences',
      procError(`{"message":"${escapes}","path":"${escapes}","hint":"${escapes}"}`),
    ],
    [
      'text that is not UTF-8',
      Uint8Array.of(
        ...procError('{"message":"').subarray(0, -1),
        0xff,
        0xfe,
        0xc0,
        0x22,
        0x7d,
        0x7d,
      ),
    ],
    ['an argument that is no object', procError('["a"]')],
    ['a message that is no text', procError('{"message":{"toString":"x"}}')],
    [
      'members of the wrong kind',
      procError(
        '{"message":"no","step":[],"errno":"1","index":{},"path":7,"hint":null,"syscall":{},"errnoCode":[]}',
      ),
    ],
    [
      'huge numbers',
      procError('{"message":"no","index":1e308,"errno":99999999999999999999999999}'),
    ],
    [
      'keys of the prototype',
      procError(
        '{"message":"no","__proto__":{"step":"evil","path":"/evil"},"constructor":{"prototype":{"hint":"evil"}}}',
      ),
    ],
    ['deep nesting', procError(`{"message":"no","a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`)],
    ['an unknown type', bytes('{"type":"procEvil","flags":0}')],
    ['nonsense', bytes('\u0000\u001b[2J')],
    ['an answer out of turn', bytes('{"type":"procRun","flags":0}')],
  ])('that sends %s ends its launch with a bounded error', async (_, packet) => {
    const failure = await failureOf(packet);
    expect(failure).not.toMatchObject({ step: 'evil' });
    expect(failure.path ?? '').not.toBe('/evil');
    expect(failure.hint ?? '').not.toBe('evil');
    expect(failure.index === undefined || Number.isSafeInteger(failure.index)).toBe(true);
    expect(JSON.stringify(failure).length).toBeLessThan(100_000);
  });

  it('that asks without end is not answered without end', async () => {
    const question = bytes(
      '{"type":"procMountPlease","flags":0,"arg":{"source":"/etc/shadow","destination":"/x"}}',
    );
    const failure = await failureOf(...Array.from({ length: 50 }, () => question));
    expect(failure.message).toContain('the child asked for /etc/shadow');
  });
});
