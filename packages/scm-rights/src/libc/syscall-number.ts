import { arch } from 'node:process';

/** Older than asm-generic, so with a number per architecture. */
export const SYS_renameat2: number = arch === 'arm64' ? 276 : 316;

/** Numbers of the calls that libc may have no function for. The same on x86-64 and arm64 (asm-generic since 5.0). */
export const SYS_pidfd_send_signal = 424;
export const SYS_open_tree = 428;
export const SYS_move_mount = 429;
export const SYS_pidfd_open = 434;
export const SYS_clone3 = 435;
export const SYS_close_range = 436;
export const SYS_pidfd_getfd = 438;
export const SYS_mount_setattr = 442;
