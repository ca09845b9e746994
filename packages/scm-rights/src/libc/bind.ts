import { type SyscallOperand } from '../errors.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('bind', 'int', ['int', 'void *', 'uint']);

/** Gives a socket its address, the bytes of a `struct sockaddr_un`; `bind(2)`. `operand` names it in errors. */
export function bind(fd: number, address: Uint8Array, operand: SyscallOperand = fd): void {
  invoke('bind', operand, call(), fd, address, address.length);
}
