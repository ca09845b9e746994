import { isSyscallError } from '@pilotlight/scm-rights';
import type { InitConfig } from '../../config/init-config.ts';
import { AT_SYMLINK_NOFOLLOW, S_IFCHR, S_IFMT } from '../../syscall/constants.ts';
import type { Syscall } from '../../syscall/syscall.ts';
import { attempting } from '../step-failure.ts';
import { openMountTarget } from './mount-target.ts';

/**
 * Makes the device nodes and links in /dev, through a descriptor of it: a link put there by the
 * image cannot lead the nodes elsewhere.
 */
export function makeDevices(sys: Syscall, root: number, config: InitConfig): void {
  if (config.devices.length === 0) return;
  const dev = openMountTarget(sys, root, '/dev', 'directory');
  for (const [index, { name, major, minor }] of config.devices.entries()) {
    attempting(`make device /dev/${name}`, { index }, () => {
      try {
        sys.mknodat(dev, name, S_IFCHR | 0o666, major, minor);
      } catch (error) {
        // The image may bring its own node; it will do if it is the very device.
        if (!isSyscallError(error, 'EEXIST') || !isDevice(sys, dev, name, major, minor))
          throw error;
      }
    });
  }
  for (const [name, target] of config.devLinks) {
    try {
      sys.symlinkat(target, dev, name);
    } catch (error) {
      if (!isSyscallError(error, 'EEXIST')) throw error;
    }
  }
  sys.close(dev);
}

function isDevice(sys: Syscall, dev: number, name: string, major: number, minor: number): boolean {
  const found = sys.statx(dev, name, AT_SYMLINK_NOFOLLOW);
  return (
    (found.mode & S_IFMT) === S_IFCHR && found.deviceMajor === major && found.deviceMinor === minor
  );
}
