import { OwnedFd } from '@pilotlight/scm-rights';
import { pipe2 } from '@pilotlight/scm-rights/libc';

/** A new pipe, both ends close-on-exec; pipe(2). The caller owns both. */
export function openPipe(): { reader: OwnedFd; writer: OwnedFd } {
  const [reader, writer] = pipe2();
  return { reader: new OwnedFd(reader), writer: new OwnedFd(writer) };
}
