import { MSG_PEEK, MSG_TRUNC } from './constants.ts';
import { attempt, lazyFunction } from './invoke.ts';

const call = lazyFunction('recv', 'long', ['int', 'void *', 'size_t', 'int']);

/**
 * Length of the next packet of a packet socket, which stays in the queue: `recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC)`.
 * 0 means end of file (or a packet of no bytes, which nobody should send). Returns the negative errno on failure.
 */
export function tryPeekLength(fd: number): number {
  return attempt(call(), fd, null, 0, MSG_PEEK | MSG_TRUNC);
}
