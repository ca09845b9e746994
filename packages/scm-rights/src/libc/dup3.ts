import { O_CLOEXEC } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('dup3', 'int', ['int', 'int', 'int']);

/** Makes `target` a copy of `fd`, closing what it was; `dup3(2)`. Close-on-exec unless told; EINVAL if both are equal. */
export function dup3(fd: number, target: number, options: { closeOnExec?: boolean } = {}): number {
  return invoke('dup3', fd, call(), fd, target, (options.closeOnExec ?? true) ? O_CLOEXEC : 0);
}
