import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fcntlGetfd } from '../libc/fcntl.ts';
import { pipe2 } from '../libc/pipe2.ts';
import { write } from '../libc/write.ts';
import { OwnedFd } from '../owned-fd.ts';
import { pidfdGetfd } from './pidfd-getfd.ts';
import { pidfdOpen } from './pidfd-open.ts';

describe('pidfdGetfd', () => {
  it('pidfdGetfd copies a descriptor of another process', async () => {
    const [reader, writer] = pipe2().map((fd) => new OwnedFd(fd));
    const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore', writer!.fd] });
    using pidfd = pidfdOpen(child.pid!);
    writer!.close();
    {
      using copy = pidfdGetfd(pidfd, 3);
      expect(fcntlGetfd(copy.fd)).toBe(1);
      write(copy.fd, new Uint8Array([42]));
    }
    const byte = new Uint8Array(1);
    readSync(reader!.fd, byte);
    expect(byte[0]).toBe(42);
    expect(() => pidfdGetfd(pidfd, 999)).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'pidfd_getfd' }),
    );
    expect(() => pidfdGetfd(pidfd, -1)).toThrow(
      expect.objectContaining({ code: 'ERR_SCM_INVALID_FD' }),
    );
    child.stdin?.end();
    await once(child, 'exit');
    expect(() => pidfdGetfd(pidfd, 0)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
    reader!.close();
  });
});
