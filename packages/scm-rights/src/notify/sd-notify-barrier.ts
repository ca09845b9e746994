import { pipe2 } from '../libc/pipe2.ts';
import { OwnedFd } from '../owned-fd.ts';
import { readiness as sharedReadiness } from '../readiness/readiness.ts';
import { sdNotify, type SdNotifyOptions } from './sd-notify.ts';

/**
 * Resolves when the service manager has dealt with everything sent before; BARRIER of sd_notify(3), systemd 246. False if no
 * manager asked to be told.
 *
 * It is sent one end of a pipe and closes it. A manager that never does keeps this waiting: give a signal. Throws as
 * `sdNotify` does.
 */
export async function sdNotifyBarrier(
  options: Omit<SdNotifyOptions, 'fds'> = {},
): Promise<boolean> {
  const { readiness = sharedReadiness, signal } = options;
  const [readEnd, writeEnd] = pipe2();
  using reader = new OwnedFd(readEnd, 'pipe of the barrier');
  using writer = new OwnedFd(writeEnd, 'pipe of the barrier');
  if (!(await sdNotify({ BARRIER: 1 }, { ...options, fds: [writer] }))) return false;
  writer.close();
  await readiness.wait(reader, 'hangup', { signal });
  return true;
}
