import { cString } from './c-string.ts';
import { O_CLOEXEC } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('open', 'int', ['str', 'int', 'uint']);

/** Opens `path` with O_… `flags`, close-on-exec; `open(2)`. `mode` counts with O_CREAT. The caller closes it. */
export function open(path: string, flags: number, mode = 0): number {
  return invoke('open', path, call(), cString(path), flags | O_CLOEXEC, mode);
}
