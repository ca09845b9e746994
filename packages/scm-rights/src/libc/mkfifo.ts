import { cString } from './c-string.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('mkfifo', 'int', ['str', 'uint']);

/** Makes a fifo; `mkfifo(3)`. The umask takes bits away from `mode`. */
export function mkfifo(path: string, mode: number): void {
  invoke('mkfifo', path, call(), cString(path), mode);
}
