import {
  F_ADD_SEALS,
  F_DUPFD_CLOEXEC,
  F_GET_SEALS,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
} from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

// Variadic in C; with an integer operand the fixed form is the same call on x86-64 and arm64.
const call = lazyFunction('fcntl', 'int', ['int', 'int', 'long']);

/** Status flags of the open file: O_NONBLOCK, O_APPEND, the access mode; F_GETFL of `fcntl(2)`. */
export function fcntlGetfl(fd: number): number {
  return invoke('fcntl', fd, call(), fd, F_GETFL, 0);
}

/** Sets the status flags, for every descriptor of this open file; F_SETFL of `fcntl(2)`. */
export function fcntlSetfl(fd: number, flags: number): void {
  invoke('fcntl', fd, call(), fd, F_SETFL, flags);
}

/** Flags of the descriptor: FD_CLOEXEC or 0; F_GETFD of `fcntl(2)`. */
export function fcntlGetfd(fd: number): number {
  return invoke('fcntl', fd, call(), fd, F_GETFD, 0);
}

/** Sets the flags of the descriptor; F_SETFD of `fcntl(2)`. */
export function fcntlSetfd(fd: number, flags: number): void {
  invoke('fcntl', fd, call(), fd, F_SETFD, flags);
}

/** A new descriptor of the same open file, close-on-exec, numbered at least `lowest`; F_DUPFD_CLOEXEC of `fcntl(2)`. */
export function fcntlDupfd(fd: number, lowest = 0): number {
  return invoke('fcntl', fd, call(), fd, F_DUPFD_CLOEXEC, lowest);
}

/** Adds F_SEAL_… bits to a memfd, which nothing can take away again; F_ADD_SEALS of `fcntl(2)`. */
export function fcntlAddSeals(fd: number, seals: number): void {
  invoke('fcntl F_ADD_SEALS', fd, call(), fd, F_ADD_SEALS, seals);
}

/** The F_SEAL_… bits of a memfd; F_GET_SEALS of `fcntl(2)`. EINVAL for a file that cannot have any. */
export function fcntlGetSeals(fd: number): number {
  return invoke('fcntl F_GET_SEALS', fd, call(), fd, F_GET_SEALS, 0);
}
