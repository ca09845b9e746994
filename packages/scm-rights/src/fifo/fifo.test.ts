import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fcntlGetfl } from '../libc/fcntl.ts';
import { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from '../libc/constants.ts';
import { write } from '../libc/write.ts';
import { openFd } from '../open-fd.ts';
import type { OwnedFd } from '../owned-fd.ts';
import { readNow } from '../read-now.ts';
import { setNonblocking } from '../set-nonblocking.ts';
import { withoutFdLeak } from '../testing/without-fd-leak.ts';
import { fifoWriters } from './fifo-writers.ts';
import { mkfifo } from './mkfifo.ts';
import { peekFifo } from './peek-fifo.ts';

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fifo-'));
  path = join(dir, 'fifo');
});
afterEach(() => rmSync(dir, { recursive: true }));

const reader = (): OwnedFd => openFd(path, O_RDONLY | O_NONBLOCK);
const writer = (): OwnedFd => openFd(path, O_WRONLY | O_NONBLOCK);

describe('mkfifo', () => {
  it('mkfifo makes a fifo for its owner only', () => {
    mkfifo(path);
    const { mode } = statSync(path);
    expect((mode & 0o170000) === 0o010000).toBe(true);
    expect(mode & 0o777).toBe(0o600);
  });

  it('mkfifo refuses a name that is taken, by a dangling link too, and follows none', () => {
    mkfifo(path);
    expect(() => mkfifo(path)).toThrow(/mkfifo .*: EEXIST/);
    symlinkSync(join(dir, 'elsewhere'), join(dir, 'link'));
    expect(() => mkfifo(join(dir, 'link'))).toThrow(/mkfifo .*: EEXIST/);
    expect(existsSync(join(dir, 'elsewhere'))).toBe(false);
    expect(() => mkfifo('a\0b')).toThrow(
      expect.objectContaining({ code: 'ERR_SCM_INVALID_STRING' }),
    );
  });
});

describe('fifoWriters', () => {
  it('fifoWriters tells whether a writer came, is there or has gone, and takes nothing out', async () => {
    mkfifo(path);
    await withoutFdLeak(() => {
      using from = reader();
      expect(fifoWriters(from)).toBe('none');
      const to = writer();
      expect(fifoWriters(from)).toBe('has');
      write(to.fd, Buffer.from('ab'));
      expect(fifoWriters(from)).toBe('has');
      to.close();
      expect(fifoWriters(from)).toBe('has');
      const bytes = Buffer.alloc(3);
      expect(readNow(from, bytes)).toBe(2);
      expect(bytes.toString('latin1', 0, 2)).toBe('ab');
      expect(fifoWriters(from)).toBe('gone');
    });
  });

  it('fifoWriters does not take one that came before this end for one of this end', () => {
    mkfifo(path);
    {
      using _before = reader();
      writer().close();
    }
    using from = reader();
    expect(fifoWriters(from)).toBe('none');
  });

  it('fifoWriters refuses what is no pipe', () => {
    using zero = openFd('/dev/zero', O_RDONLY);
    expect(() => fifoWriters(zero)).toThrow(/tee fd \d+: EINVAL/);
  });
});

describe('readNow', () => {
  it('readNow gives what is there, undefined while nothing is, and 0 at the end', () => {
    mkfifo(path);
    using from = reader();
    const to = writer();
    const bytes = Buffer.alloc(2);
    expect(readNow(from, bytes)).toBeUndefined();
    write(to.fd, Buffer.from('abc'));
    expect([readNow(from, bytes), readNow(from, bytes)]).toEqual([2, 1]);
    expect(readNow(from, bytes)).toBeUndefined();
    to.close();
    expect(readNow(from, bytes)).toBe(0);
    using directory = openFd(dir, O_RDONLY);
    expect(() => readNow(directory, bytes)).toThrow(/read fd \d+: EISDIR/);
  });
});

describe('setNonblocking', () => {
  it('setNonblocking changes that flag of the open file and no other', () => {
    mkfifo(path);
    using both = openFd(path, O_RDWR);
    const before = fcntlGetfl(both.fd);
    setNonblocking(both, true);
    expect(fcntlGetfl(both.fd)).toBe(before | O_NONBLOCK);
    setNonblocking(both, true);
    setNonblocking(both, false);
    expect(fcntlGetfl(both.fd)).toBe(before);
  });
});

describe('peekFifo', () => {
  it('peekFifo tells what is there as often as it is asked, and the end of file', () => {
    mkfifo(path);
    using from = reader();
    const to = writer();
    const bytes = Buffer.alloc(100_000);
    expect(peekFifo(from, bytes)).toBeUndefined();
    write(to.fd, Buffer.alloc(65_536, 7));
    for (let time = 0; time < 3; time++) {
      expect(peekFifo(from, bytes)).toBe(65_536);
      expect(bytes.subarray(0, 65_536).every((byte) => byte === 7)).toBe(true);
    }
    expect(peekFifo(from, bytes.subarray(0, 10))).toBe(10);
    expect(readNow(from, bytes)).toBe(65_536);
    to.close();
    expect(peekFifo(from, bytes)).toBe(0);
  });

  it('peekFifo refuses what is no pipe', () => {
    using file = openFd('/dev/null', O_RDONLY);
    expect(() => peekFifo(file, Buffer.alloc(1))).toThrow('EINVAL');
  });
});
