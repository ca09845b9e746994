import { constants, mkdtempSync, readSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openFd } from '../open-fd.ts';
import { makeFifo } from './make-fifo.ts';
import { setNonblocking } from './set-nonblocking.ts';

const dir = mkdtempSync(join(tmpdir(), 'fifo-'));

afterAll(() => rmSync(dir, { recursive: true }));

it('makeFifo makes a fifo with the mode it is given, and refuses a name that is taken', () => {
  const path = join(dir, 'one');
  makeFifo(path, 0o640);
  expect(statSync(path).isFIFO()).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(() => makeFifo(path)).toThrow(expect.objectContaining({ code: 'EEXIST', path }));
  expect(() => makeFifo(join(dir, 'no', 'such'))).toThrow(
    expect.objectContaining({ code: 'ENOENT' }),
  );
});

it('setNonblocking makes a read of an empty fifo fail instead of wait', () => {
  const path = join(dir, 'two');
  makeFifo(path);
  using fifo = openFd(path, constants.O_RDWR);
  setNonblocking(fifo);
  expect(() => readSync(fifo.fd, Buffer.alloc(1))).toThrow(
    expect.objectContaining({ code: 'EAGAIN' }),
  );
});
