// Values of the kernel's ABI that the child uses; equal on x86-64 and arm64 where nothing is said.

export const AT_FDCWD = -100;
export const AT_EMPTY_PATH = 0x1000;
export const AT_RECURSIVE = 0x8000;
export const AT_SYMLINK_NOFOLLOW = 0x100;

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_NOCTTY = 0o400;
export const O_NONBLOCK = 0o4000;
// The architectures disagree on these two.
export const O_DIRECTORY: number = process.arch === 'arm64' ? 0o4_0000 : 0o20_0000;
export const O_NOFOLLOW: number = process.arch === 'arm64' ? 0o10_0000 : 0o40_0000;
export const O_CLOEXEC = 0o200_0000;
export const O_PATH = 0o1000_0000;

// openat2(2)
export const RESOLVE_NO_XDEV = 0x01;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;

// open_tree(2), umount2(2)
export const OPEN_TREE_CLONE = 1;
export const OPEN_TREE_CLOEXEC: number = O_CLOEXEC;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

// inode(7)
export const S_IFMT = 0o17_0000;
export const S_IFDIR = 0o4_0000;
export const S_IFREG = 0o10_0000;
export const S_IFCHR = 0o2_0000;
export const S_IFBLK = 0o6_0000;
export const S_IFIFO = 0o1_0000;
export const S_IFLNK = 0o12_0000;

// statfs(2)
export const PROC_SUPER_MAGIC = 0x9fa0;

export const X_OK = 1;
export const CLOSE_RANGE_CLOEXEC = 4;
