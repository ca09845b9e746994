import { cString } from './c-string.ts';
import { MFD_CLOEXEC } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('memfd_create', 'int', ['str', 'uint']);

/** An anonymous file in memory, close-on-exec, with more MFD_… `flags`; `memfd_create(2)`. The caller closes it. */
export function memfdCreate(name: string, flags = 0): number {
  return invoke('memfd_create', name, call(), cString(name, 'name'), flags | MFD_CLOEXEC);
}
