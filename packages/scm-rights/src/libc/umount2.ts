import { cString } from './c-string.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('umount2', 'int', ['str', 'int']);

/** Unmounts what is on `path`, with MNT_… and UMOUNT_… `flags`; `umount2(2)`. */
export function umount2(path: string, flags = 0): void {
  invoke('umount2', path, call(), cString(path), flags);
}
