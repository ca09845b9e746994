// System call numbers, for calls that libc has no function for, or one that must not be used in a
// forked child: glibc's setresuid and its kin signal every thread that the *parent* had.
// The same on both architectures unless two are given (x86-64, arm64).

const byArch = (x64: number, arm64: number): number => (process.arch === 'arm64' ? arm64 : x64);

export const SYS_capset: number = byArch(126, 91);
export const SYS_getdents64: number = byArch(217, 61);
export const SYS_ioprio_set: number = byArch(251, 30);
export const SYS_keyctl: number = byArch(250, 219);
export const SYS_mknodat: number = byArch(259, 33);
export const SYS_personality: number = byArch(135, 92);
export const SYS_pivot_root: number = byArch(155, 41);
export const SYS_prctl: number = byArch(157, 167);
export const SYS_sched_setaffinity: number = byArch(203, 122);
export const SYS_sched_setattr: number = byArch(314, 274);
export const SYS_set_mempolicy: number = byArch(238, 237);
export const SYS_seccomp: number = byArch(317, 277);
export const SYS_setgroups: number = byArch(116, 159);
export const SYS_setresgid: number = byArch(119, 149);
export const SYS_setresuid: number = byArch(117, 147);
export const SYS_open_tree = 428;
export const SYS_move_mount = 429;
export const SYS_fsopen = 430;
export const SYS_fsconfig = 431;
export const SYS_fsmount = 432;
export const SYS_pidfd_open = 434;
export const SYS_clone3 = 435;
export const SYS_close_range = 436;
export const SYS_openat2 = 437;
export const SYS_mount_setattr = 442;
