import { SOCK_CLOEXEC, SOCK_NONBLOCK } from './constants.ts';
import { attempt, lazyFunction } from './invoke.ts';

const call = lazyFunction('accept4', 'int', ['int', 'void *', 'void *', 'int']);

/**
 * The next connection, non-blocking and close-on-exec, or the negative errno; `accept4(2)`. The caller closes it.
 */
export function tryAccept4(fd: number): number {
  return attempt(call(), fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK);
}
