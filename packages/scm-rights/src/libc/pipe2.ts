import { O_CLOEXEC } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('pipe2', 'int', ['void *', 'int']);

/** A pipe, close-on-exec, with more O_… `flags`: [read end, write end]; `pipe2(2)`. The caller closes both. */
export function pipe2(flags = 0): [number, number] {
  const pair = new Int32Array(2);
  invoke('pipe2', undefined, call(), pair, flags | O_CLOEXEC);
  return [pair[0]!, pair[1]!];
}
