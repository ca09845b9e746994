import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as libc from '../libc.ts';
import { withoutFdLeak } from '../testing/without-fd-leak.ts';
import { decodeEpollEvents, encodeEpollEvent, epollEventLayout } from './epoll-event.ts';

const PIDFD_SELF = (): number => libc.pidfdOpen(process.pid);

describe('cString', () => {
  it('cString refuses exactly what the kernel would see differently', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const faithful = value.isWellFormed() && !value.includes('\0');
        expect(accepts(value)).toBe(faithful);
      }),
    );
  });

  it.each([
    ['open', () => libc.open('a\0b', 0)],
    ['umount2', () => libc.umount2('a\0b')],
    ['statfs', () => libc.statfsType('a\0b')],
    ['open_tree', () => libc.openTree(libc.AT_FDCWD, 'a\0b', 0)],
    ['move_mount', () => libc.moveMount(libc.AT_FDCWD, '/', libc.AT_FDCWD, 'a\0b', 0)],
    ['mount_setattr', () => libc.mountSetattr(libc.AT_FDCWD, 'a\0b', 0, {})],
    ['renameat2', () => libc.renameat2('/', 'a\0b', 0)],
    ['memfd_create', () => libc.memfdCreate('a\0b')],
  ])('%s refuses a NUL byte', (_name, call) => {
    expect(call).toThrow(expect.objectContaining({ code: 'ERR_SCM_INVALID_STRING' }));
  });
});

describe('epoll events', () => {
  it('epollEventLayout is packed on x86-64 only', () => {
    expect(epollEventLayout('x64')).toEqual({ size: 12, dataOffset: 4 });
    expect(epollEventLayout('arm64')).toEqual({ size: 16, dataOffset: 8 });
  });

  it.each(['x64', 'arm64'])('decodeEpollEvents gives back encoded events on %s', (arch) => {
    const layout = epollEventLayout(arch);
    const event = fc.record({
      events: fc.integer({ min: 0, max: 0xffffffff }),
      data: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 10 }), (events) => {
        const bytes = Buffer.concat(events.map((one) => encodeEpollEvent(one, layout)));
        expect(decodeEpollEvents(bytes, events.length, layout)).toEqual(events);
      }),
    );
  });

  it('epollWait reports the data registered with a ready descriptor', async () => {
    await withoutFdLeak(() => {
      const epoll = libc.epollCreate();
      const event = libc.eventfd();
      const data = 2n ** 63n + 5n;
      libc.epollCtl(epoll, libc.EPOLL_CTL_ADD, event, { events: libc.EPOLLIN, data });
      expect(libc.epollWait(epoll, 4, 0)).toEqual([]);
      libc.eventfdWrite(event);
      libc.eventfdWrite(event);
      expect(libc.epollWait(epoll, 4, -1)).toEqual([{ events: libc.EPOLLIN, data }]);
      expect(libc.eventfdRead(event)).toBe(2n);
      libc.epollCtl(epoll, libc.EPOLL_CTL_DEL, event);
      expect(() => libc.epollCtl(epoll, libc.EPOLL_CTL_DEL, event)).toThrow(
        /epoll_ctl fd \d+: ENOENT/,
      );
      expect(() => libc.epollWait(epoll, 0, 0)).toThrow(/maxEvents/);
      libc.close(event);
      libc.close(epoll);
    });
  });
});

describe('descriptor calls', () => {
  it('everything that opens a descriptor makes it close-on-exec', async () => {
    await withoutFdLeak(() => {
      const fds = [
        ...libc.socketpair(libc.SOCK_STREAM),
        ...libc.pipe2(),
        libc.eventfd(),
        libc.epollCreate(),
        libc.memfdCreate('test'),
        libc.open('/dev/null', libc.O_RDONLY),
        libc.openTree(libc.AT_FDCWD, '/', 0),
        libc.fcntlDupfd(0),
        PIDFD_SELF(),
      ];
      fds.push(libc.dup3(0, libc.eventfd()));
      expect(fds.map((fd) => libc.fcntlGetfd(fd))).toEqual(fds.map(() => libc.FD_CLOEXEC));
      for (const fd of fds) libc.close(fd);
    });
  });

  it('dup3 can make an inheritable copy, and fcntlSetfd changes it back', () => {
    const target = libc.eventfd();
    libc.dup3(0, target, { closeOnExec: false });
    expect(libc.fcntlGetfd(target)).toBe(0);
    libc.fcntlSetfd(target, libc.FD_CLOEXEC);
    expect(libc.fcntlGetfd(target)).toBe(libc.FD_CLOEXEC);
    libc.close(target);
  });

  it('read, write and shutdown move bytes and end a stream', () => {
    const [a, b] = libc.socketpair(libc.SOCK_STREAM);
    expect(libc.write(a, new TextEncoder().encode('hello'))).toBe(5);
    libc.shutdown(a, libc.SHUT_WR);
    const bytes = new Uint8Array(3);
    expect([libc.read(b, bytes), libc.read(b, bytes), libc.read(b, bytes)]).toEqual([3, 2, 0]);
    expect(() => libc.write(a, bytes)).toThrow(/write fd \d+: EPIPE/);
    libc.close(a);
    libc.close(b);
  });

  it('fcntlSetfl makes a descriptor non-blocking', () => {
    const [a, b] = libc.pipe2();
    libc.fcntlSetfl(a, libc.fcntlGetfl(a) | libc.O_NONBLOCK);
    expect(() => libc.read(a, new Uint8Array(1))).toThrow(/read fd \d+: EAGAIN/);
    libc.close(a);
    libc.close(b);
  });

  it('poll tells what is ready, and nothing at timeout', () => {
    const [a, b] = libc.pipe2();
    expect(libc.poll(a, libc.POLLIN, 0)).toBe(0);
    expect(libc.poll(b, libc.POLLOUT, -1)).toBe(libc.POLLOUT);
    libc.close(b);
    expect(libc.poll(a, 0, -1)).toBe(libc.POLLHUP);
    libc.close(a);
    expect(libc.poll(a, libc.POLLIN, 0)).toBe(libc.POLLNVAL);
  });

  it('sendmsg reads the bytes of a view into a larger buffer', () => {
    const [a, b] = libc.socketpair(libc.SOCK_SEQPACKET);
    libc.sendmsg(a, Buffer.from('xxhelloxx').subarray(2, 7));
    expect(libc.tryPeekLength(b)).toBe(5);
    const target = Buffer.alloc(9, 45);
    expect(libc.recvmsg(b, target.subarray(2, 7)).length).toBe(5);
    expect(target.toString()).toBe('--hello--');
    libc.close(a);
    libc.close(b);
  });

  it('O_DIRECTORY and O_NOFOLLOW have the values of this architecture', () => {
    const dir = mkdtempSync(join(tmpdir(), 'open-'));
    writeFileSync(join(dir, 'file'), '');
    expect(() => libc.open(join(dir, 'file'), libc.O_DIRECTORY)).toThrow(/ENOTDIR/);
    expect(() => libc.open('/proc/self', libc.O_NOFOLLOW)).toThrow(/open \/proc\/self: ELOOP/);
    rmSync(dir, { recursive: true });
  });

  it('statfsType and fstatfsType agree', () => {
    const PROC_SUPER_MAGIC = 0x9fa0;
    expect(libc.statfsType('/proc/self')).toBe(PROC_SUPER_MAGIC);
    const fd = libc.open('/proc/self/status', 0);
    expect(libc.fstatfsType(fd)).toBe(PROC_SUPER_MAGIC);
    libc.close(fd);
  });

  it('prctl reads and sets an attribute of the thread', () => {
    const [PR_SET_TIMERSLACK, PR_GET_TIMERSLACK] = [29, 30];
    const old = libc.prctl(PR_GET_TIMERSLACK);
    libc.prctl(PR_SET_TIMERSLACK, 70_000n);
    expect(libc.prctl(PR_GET_TIMERSLACK)).toBe(70_000);
    libc.prctl(PR_SET_TIMERSLACK, old);
    expect(() => libc.prctl(9999)).toThrow(/prctl operation 9999: EINVAL/);
  });
});

describe('attempt', () => {
  it('attempt and attemptSyscall give the negative errno', () => {
    const call = libc.lazyFunction('close', 'int', ['int']);
    expect(libc.attempt(call(), 1_000_000)).toBe(-9);
    expect(libc.attemptSyscall(libc.SYS_pidfd_open, 0, 0)).toBe(-22);
    expect(() => libc.invoke('close', 1_000_000, call(), 1_000_000)).toThrow(
      /close fd 1000000: EBADF/,
    );
  });
});

function accepts(value: string): boolean {
  try {
    return libc.cString(value) === value;
  } catch (error) {
    if (libc.isSyscallError(error)) throw error;
    return false;
  }
}
