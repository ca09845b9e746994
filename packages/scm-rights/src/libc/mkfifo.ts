import { cString } from './c-string.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('mkfifo', 'int', ['str', 'uint']);

/** Makes a fifo with permissions `mode`, less the umask; `mkfifo(3)`. EEXIST if anything is there, a dangling link too. */
export function mkfifo(path: string, mode: number): void {
  invoke('mkfifo', path, call(), cString(path), mode);
}
