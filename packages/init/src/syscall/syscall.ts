/** What statx(2) tells of a file, as far as the child asks. */
export type FileStatus = {
  /** Type and permissions, as in st_mode. */
  mode: number;
  /** Of a device node. */
  deviceMajor: number;
  deviceMinor: number;
};

export type MountAttributes = {
  set: number;
  clear: number;
  /** MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE, or 0 to leave it. */
  propagation: number;
};

export type CapabilityMasks = { effective: bigint; permitted: bigint; inheritable: bigint };

/**
 * Every kernel call that a child makes between fork and exec, by its name in section 2 of the
 * manual. All are synchronous. A failure is thrown as SyscallError of @pilotlight/scm-rights.
 *
 * Descriptors are plain numbers here: a child that fails ends at once, and the kernel closes them.
 * linux.ts makes the calls; recording.ts remembers them, and fails where a test wants it.
 */
export interface Syscall {
  openat2(dirfd: number, path: string, flags: number, resolve: number): number;
  /** Makes and opens a regular file with openat2; fails where one is. */
  createFile(dirfd: number, path: string, mode: number): number;
  mkdirat(dirfd: number, path: string, mode: number): void;
  mknodat(dirfd: number, path: string, mode: number, major: number, minor: number): void;
  symlinkat(target: string, dirfd: number, path: string): void;
  fchown(fd: number, uid: number, gid: number, path: string): void;
  statx(dirfd: number, path: string, flags: number): FileStatus;
  access(path: string, mode: number): void;
  close(fd: number): void;
  closeRange(first: number, flags: number): void;
  dup3(oldfd: number, newfd: number, flags: number): void;
  /** fcntl(2) F_DUPFD_CLOEXEC: a copy at `least` or above. */
  dupAbove(fd: number, least: number): number;
  setCloseOnExec(fd: number, on: boolean): void;
  /** fcntl(2) F_SETFL without O_NONBLOCK, for everybody who shares the open file. */
  setBlocking(fd: number): void;
  /** Reads until end of file. */
  readAll(fd: number, path: string): Uint8Array;
  writeAll(fd: number, bytes: Uint8Array, path: string): void;
  /** Sends one packet on a blocking seqpacket socket. */
  sendPacket(fd: number, bytes: Uint8Array): void;
  /** Receives one packet; `undefined` at end of file. */
  receivePacket(fd: number): Uint8Array | undefined;
  /** Sends a descriptor and its name, in the form of runc's SendFile. */
  sendFile(socket: number, name: string, fd: number): void;

  openTree(dirfd: number, path: string, flags: number): number;
  moveMount(from: number, to: number, path: string): void;
  mountSetattr(dirfd: number, path: string, flags: number, attributes: MountAttributes): void;
  fsopen(fstype: string): number;
  fsconfigFlag(fd: number, key: string): void;
  fsconfigString(fd: number, key: string, value: string): void;
  fsconfigCreate(fd: number, fstype: string): void;
  fsmount(fd: number, attributes: number, fstype: string): number;
  umount2(path: string, flags: number): void;
  pivotRoot(newRoot: string, putOld: string): void;
  chdir(path: string): void;
  fchdir(fd: number, path: string): void;
  getcwd(): string;

  setsid(): void;
  unshare(flags: number): void;
  sethostname(name: string): void;
  setdomainname(name: string): void;
  umask(mask: number): void;
  /** KEYCTL_JOIN_SESSION_KEYRING */
  joinSessionKeyring(name: string): void;
  /** Sets IFF_UP on a network interface. */
  interfaceUp(name: string): void;
  prlimit(resource: number, soft: bigint, hard: bigint): void;

  setNoNewPrivileges(): void;
  setDumpable(on: boolean): void;
  setKeepCapabilities(on: boolean): void;
  dropBoundingCapability(capability: number): void;
  clearAmbientCapabilities(): void;
  raiseAmbientCapability(capability: number): void;
  capset(masks: CapabilityMasks): void;
  setgroups(gids: readonly number[]): void;
  setresgid(gid: number): void;
  setresuid(uid: number): void;

  /** TIOCSPTLCK, TIOCGPTPEER: unlocks the pty and opens its other side. */
  openPtyPeer(master: number): number;
  setWindowSize(fd: number, height: number, width: number): void;
  /** TIOCSCTTY */
  setControllingTerminal(fd: number): void;

  /** Default dispositions for what Node ignores, then an empty signal mask; both survive execve(2). */
  resetSignals(): void;
  execve(path: string, args: readonly string[], env: readonly string[]): void;
  /** Ends the process without running anything else. */
  exit(code: number): never;
}
