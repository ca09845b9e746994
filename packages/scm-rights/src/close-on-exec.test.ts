import { expect, test } from 'vitest';
import { isCloseOnExec } from './close-on-exec.ts';
import { openFd } from './open-fd.ts';
import { fcntlSetfd } from './libc/fcntl.ts';

test('isCloseOnExec tells whether a program would inherit a descriptor, and that there is none', () => {
  const file = openFd('/dev/null', 0);
  const { fd } = file;
  expect(isCloseOnExec(file)).toBe(true);
  fcntlSetfd(fd, 0);
  expect(isCloseOnExec(fd)).toBe(false);
  file.close();
  expect(isCloseOnExec(fd)).toBeUndefined();
});
