import { describe, expect, it } from 'vitest';
import { openFd } from '../open-fd.ts';
import { socketpair } from '../socketpair.ts';
import { withoutFdLeak } from '../testing/without-fd-leak.ts';
import { close } from './close.ts';
import { EINTR } from './errno.ts';
import { type Libc, type LibcFunction, loadLibc, useLibc } from './library.ts';
import { pidfdOpen } from './pidfd-open.ts';
import { tryPeekLength } from './recv.ts';
import { recvmsg } from './recvmsg.ts';
import { sendmsg } from './sendmsg.ts';

/** A libc in which a signal interrupts the first two calls of every function before they have done anything, but `close`, which has. */
class InterruptedLibc implements Libc {
  /** How often each function was called. */
  readonly calls = new Map<string, number>();
  readonly #real: Libc = loadLibc();
  #interrupted = false;

  func<Result = number>(
    name: string,
    result: string,
    params: readonly string[],
  ): LibcFunction<Result> {
    const real = this.#real.func<Result>(name, result, params);
    const call = (...args: Parameters<typeof real>): Result => {
      const interrupted = this.#interrupts(name);
      if (interrupted && name === 'close') real(...args);
      return interrupted ? (-1 as Result) : real(...args);
    };
    return Object.assign(call, { async: real.async.bind(real) });
  }

  errno(): number {
    return this.#interrupted ? EINTR : this.#real.errno();
  }

  address(memory: ArrayBufferView): bigint {
    return this.#real.address(memory);
  }

  syscall(number: number, ...operands: (number | bigint)[]): number {
    return this.#interrupts('syscall') ? -1 : this.#real.syscall(number, ...operands);
  }

  #interrupts(name: string): boolean {
    const count = (this.calls.get(name) ?? 0) + 1;
    this.calls.set(name, count);
    this.#interrupted = count <= 2;
    return this.#interrupted;
  }
}

describe('invoke', () => {
  it('mistake 21: a call that a signal interrupts is made again', async () => {
    await withoutFdLeak(() => {
      const [a, b] = socketpair('seqpacket');
      using sender = a;
      using receiver = b;
      using file = openFd('/dev/null', 0);
      const libc = new InterruptedLibc();
      {
        using _used = useLibc(libc);
        expect(sendmsg(sender.fd, new Uint8Array([1, 2]), { fds: [file.fd] })).toBe(2);
        const bytes = new Uint8Array(4);
        const received = recvmsg(receiver.fd, bytes);
        expect(received).toMatchObject({ length: 2, fds: [expect.any(Number)] });
        expect(bytes).toEqual(new Uint8Array([1, 2, 0, 0]));
        for (const fd of received.fds) close(fd);

        // Called three times, the packet was sent once: the next one is another.
        sendmsg(sender.fd, new Uint8Array([3]));
        expect(tryPeekLength(receiver.fd)).toBe(1);

        close(pidfdOpen(process.pid));
      }
      expect(Object.fromEntries(libc.calls)).toEqual({
        sendmsg: 4,
        recvmsg: 3,
        recv: 3,
        syscall: 3,
        // Not made again: Linux has released the number by then.
        close: 2,
      });
    });
  });
});
