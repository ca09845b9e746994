import { readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { dupFd } from './dup-fd.ts';
import { fcntlGetfd } from './libc/fcntl.ts';
import { FD_CLOEXEC } from './libc/constants.ts';
import { openFd } from './open-fd.ts';

test('dupFd gives the same file another number, closed on exec, that lives on its own', () => {
  const original = openFd('/dev/null', 0);
  using copy = dupFd(original);
  expect(copy.fd).not.toBe(original.fd);
  original.close();
  expect(readlinkSync(`/proc/self/fd/${copy.fd}`)).toBe('/dev/null');
  expect(fcntlGetfd(copy.fd) & FD_CLOEXEC).toBe(FD_CLOEXEC);
});

test('dupFd refuses a descriptor that is closed', () => {
  const original = openFd('/dev/null', 0);
  original.close();
  expect(() => dupFd(original)).toThrow(expect.objectContaining({ code: 'ERR_SCM_FD_CLOSED' }));
});
