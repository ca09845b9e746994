/** Values of the kernel's ABI, equal on x86-64 and arm64 unless computed. Names are the kernel's. */

// socket(7), unix(7)
export const AF_UNIX = 1;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_TYPE = 3;
export const SO_PEERCRED = 17;
export const SO_ACCEPTCONN = 30;
export const SO_DOMAIN = 39;
/** Since Linux 6.5. */
export const SO_PEERPIDFD = 77;
export const SCM_RIGHTS = 1;
export const SCM_PIDFD = 4;
/** Most descriptors in one message (kernel: SCM_MAX_FD). */
export const SCM_MAX_FD = 253;
export const MSG_PEEK = 0x2;
export const MSG_CTRUNC = 0x8;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_CMSG_CLOEXEC = 0x40000000;
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

// open(2), fcntl(2). O_DIRECTORY and O_NOFOLLOW differ between the architectures.
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DIRECTORY: number = process.arch === 'arm64' ? 0o40000 : 0o200000;
export const O_NOFOLLOW: number = process.arch === 'arm64' ? 0o100000 : 0o400000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const F_DUPFD_CLOEXEC = 1030;
export const F_GETFD = 1;
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_ADD_SEALS = 1033;
export const F_GET_SEALS = 1034;
export const FD_CLOEXEC = 1;
export const AT_FDCWD = -100;
export const AT_EMPTY_PATH = 0x1000;
export const AT_RECURSIVE = 0x8000;

// epoll_ctl(2), poll(2)
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;

// eventfd(2), memfd_create(2)
export const EFD_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;
export const MFD_CLOEXEC = 0x1;
export const MFD_ALLOW_SEALING = 0x2;
export const F_SEAL_SEAL = 0x1;
export const F_SEAL_SHRINK = 0x2;
export const F_SEAL_GROW = 0x4;
export const F_SEAL_WRITE = 0x8;
export const F_SEAL_FUTURE_WRITE = 0x10;

// tee(2)
export const SPLICE_F_NONBLOCK = 0x2;

// ioctl_tty(2), termios(3)
export const TCGETS = 0x5401;
export const TCSETS = 0x5402;
export const TIOCGWINSZ = 0x5413;
export const TIOCSWINSZ = 0x5414;
export const ONLCR = 0x4;

// waitid(2)
export const P_PIDFD = 3;
export const WNOHANG = 0x1;
export const WEXITED = 0x4;
export const WNOWAIT = 0x01000000;

// flock(2)
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

// renameat2(2)
export const RENAME_EXCHANGE = 2;

// open_tree(2), move_mount(2), mount_setattr(2), umount2(2), statfs(2)
export const OPEN_TREE_CLONE = 0x1;
export const OPEN_TREE_CLOEXEC: number = O_CLOEXEC;
export const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
export const MNT_DETACH = 0x2;
export const UMOUNT_NOFOLLOW = 0x8;
export const MS_PRIVATE = 0x40000;
/** Type of the file system that holds pidfds, since Linux 6.9. */
export const PIDFS_MAGIC = 0x50494446;

// PIDFD_GET_INFO, since Linux 6.13; the exit status since 6.15
export const PIDFD_INFO_PID = 0x1;
export const PIDFD_INFO_CREDS = 0x2;
export const PIDFD_INFO_CGROUPID = 0x4;
export const PIDFD_INFO_EXIT = 0x8;
