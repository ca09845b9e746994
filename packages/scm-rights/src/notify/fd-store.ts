import { InvalidArgumentError } from '../errors.ts';
import type { FdLike } from '../fd-like.ts';
import { sdNotify, type SdNotifyOptions } from './sd-notify.ts';

/** Most characters of a name in the manager's store. */
export const MAX_STORED_NAME = 255;

/**
 * Gives descriptors into the keeping of the service manager, which hands them back by that name when the service starts again
 * (`listenFds`); FDSTORE of sd_notify(3). False if no manager asked to be told; it needs `FileDescriptorStoreMax=`, and drops
 * silently what is too many or there already. Wait for {@link sdNotifyBarrier} before relying on it.
 *
 * Unless `poll` is true, FDPOLL=0 goes along (systemd 246): without it the manager drops a descriptor as soon as it hangs up,
 * which for a pidfd is when it begins to hold the exit status. Throws as `sdNotify` does.
 */
export async function storeFds(
  name: string,
  fds: readonly FdLike[],
  options: Omit<SdNotifyOptions, 'fds'> & { poll?: boolean } = {},
): Promise<boolean> {
  if (fds.length === 0) throw new InvalidArgumentError('descriptors to store', 'some', 'none');
  const { poll = false, ...rest } = options;
  return sdNotify(
    { FDSTORE: 1, FDNAME: checkedName(name), ...(poll ? {} : { FDPOLL: 0 }) },
    { ...rest, fds },
  );
}

/** Lets the service manager close all descriptors that it keeps by that name; FDSTOREREMOVE of sd_notify(3), systemd 236. */
export async function removeStoredFds(
  name: string,
  options: Omit<SdNotifyOptions, 'fds'> = {},
): Promise<boolean> {
  return sdNotify({ FDSTOREREMOVE: 1, FDNAME: checkedName(name) }, options);
}

function checkedName(name: string): string {
  // The manager would keep it as "stored" instead, and mix it up with others.
  if (!/^[\u0020-\u0039\u003b-\u007e]+$/.test(name) || name.length > MAX_STORED_NAME) {
    throw new InvalidArgumentError(
      'the name of a stored descriptor',
      `1 to ${MAX_STORED_NAME} printable ASCII characters without a colon`,
      JSON.stringify(name.slice(0, 300)),
    );
  }
  return name;
}
