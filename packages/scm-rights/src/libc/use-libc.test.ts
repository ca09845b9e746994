import { describe, expect, it } from 'vitest';
import { OwnedFd } from '../owned-fd.ts';
import { Readiness } from '../readiness/readiness.ts';
import { SeqpacketSocket } from '../seqpacket-socket.ts';
import { socketpair } from '../socketpair.ts';
import { withoutFdLeak } from '../testing/without-fd-leak.ts';
import { EMFILE } from './errno.ts';
import { type Libc, type LibcFunction, loadLibc, useLibc } from './library.ts';
import { pidfdOpen } from './pidfd-open.ts';

/** Remembers the calls on their way to the real libc, and refuses those it is told to, as the kernel would. */
class RecordingLibc implements Libc {
  readonly calls: string[] = [];
  readonly refuse = new Map<string, number>();
  readonly #real: Libc = loadLibc();
  #refusedWith: number | undefined;

  func<Result = number>(
    name: string,
    result: string,
    params: readonly string[],
  ): LibcFunction<Result> {
    const real = this.#real.func<Result>(name, result, params);
    const call = (...args: Parameters<typeof real>): Result => {
      this.calls.push(name);
      this.#refusedWith = this.refuse.get(name);
      return this.#refusedWith === undefined ? real(...args) : (-1 as Result);
    };
    return Object.assign(call, { async: real.async.bind(real) });
  }

  errno(): number {
    return this.#refusedWith ?? this.#real.errno();
  }

  address(memory: ArrayBufferView): bigint {
    return this.#real.address(memory);
  }

  syscall(number: number, ...operands: (number | bigint)[]): number {
    this.calls.push(`syscall ${number}`);
    this.#refusedWith = undefined;
    return this.#real.syscall(number, ...operands);
  }
}

describe('useLibc', () => {
  it('useLibc puts every call of a packet exchange through the given libc, and koffi back', async () => {
    const real = loadLibc();
    const recording = new RecordingLibc();
    await withoutFdLeak(async () => {
      using _used = useLibc(recording);
      const readiness = new Readiness();
      const [a, b] = socketpair('seqpacket').map(
        (owned) => new SeqpacketSocket(owned, { readiness }),
      );
      const receiving = b!.receive();
      await a!.send(new Uint8Array([7]));
      expect((await receiving)?.bytes).toEqual(new Uint8Array([7]));
      // This libc cannot watch, so a pool thread waits.
      expect(readiness.method).toBe('pool');
      a!.close();
      b!.close();
      await readiness.close();
      new OwnedFd(pidfdOpen(process.pid)).close();
    });
    expect(recording.calls).toEqual(
      expect.arrayContaining([
        'socketpair',
        'getsockopt',
        'fcntl',
        'recv',
        'recvmsg',
        'sendmsg',
        'close',
        'epoll_create1',
        'epoll_ctl',
        'eventfd',
        'syscall 434',
      ]),
    );
    expect(loadLibc()).toBe(real);
    const count = recording.calls.length;
    for (const owned of socketpair('stream')) owned.close();
    expect(recording.calls).toHaveLength(count);
  });

  it('useLibc lets a test refuse a call as the kernel would', () => {
    const recording = new RecordingLibc();
    recording.refuse.set('socketpair', EMFILE);
    using _used = useLibc(recording);
    expect(() => socketpair('stream')).toThrow(/socketpair: EMFILE/);
  });

  it('useLibc without a libc goes back to koffi and loads it again', () => {
    const before = loadLibc();
    {
      using _used = useLibc(undefined);
      expect(loadLibc()).not.toBe(before);
      for (const owned of socketpair('stream')) owned.close();
    }
    expect(loadLibc()).toBe(before);
  });
});
