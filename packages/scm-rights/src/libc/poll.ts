import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('poll', 'int', ['void *', 'ulong', 'int']);

/**
 * Waits up to `timeoutMs` (0: not at all, -1: for ever) for one descriptor; `poll(2)`. Returns its POLL… bits, 0 at timeout.
 * `events` 0 asks for POLLHUP, POLLERR and POLLNVAL only, which are always reported. After EINTR the full time starts again.
 */
export function poll(fd: number, events: number, timeoutMs: number): number {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, events, true);
  invoke('poll', fd, call(), bytes, 1, timeoutMs);
  return view.getUint16(6, true);
}
