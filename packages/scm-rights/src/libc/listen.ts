import { type SyscallOperand } from '../errors.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('listen', 'int', ['int', 'int']);

/** Lets others connect; up to `backlog` wait to be accepted; `listen(2)`. */
export function listen(fd: number, backlog: number, operand: SyscallOperand = fd): void {
  invoke('listen', operand, call(), fd, backlog);
}
