import type { Syscall } from '../syscall/syscall.ts';

/** Calls of ours that are another call of the kernel's, or several. */
const others: Readonly<Partial<Record<keyof Syscall, readonly string[]>>> = {
  // credentials
  joinSessionKeyring: ['keyctl'],
  setNoNewPrivileges: ['prctl'],
  setDumpable: ['prctl'],
  isDumpable: ['prctl'],
  setKeepCapabilities: ['prctl'],
  dropBoundingCapability: ['prctl'],
  clearAmbientCapabilities: ['prctl'],
  raiseAmbientCapability: ['prctl'],
  // descriptors
  dupAbove: ['fcntl'],
  setCloseOnExec: ['fcntl'],
  setBlocking: ['fcntl'],
  readAll: ['read'],
  readStart: ['read'],
  writeAll: ['write'],
  sendPacket: ['write'],
  receivePacket: ['read'],
  sendFile: ['sendmsg'],
  receiveFile: ['recvmsg'],
  // files
  createFile: ['openat2'],
  // mounts
  mountOnWorkingDirectory: ['mount'],
  isMountRoot: ['statx'],
  filesystemType: ['fstatfs'],
  fsconfigFd: ['fsconfig'],
  fsconfigFlag: ['fsconfig'],
  fsconfigString: ['fsconfig'],
  fsconfigCreate: ['fsconfig'],
  // namespaces
  interfaceUp: ['socket', 'ioctl', 'close'],
  // netlink
  interfaceIndex: ['socket', 'ioctl', 'close'],
  routeRequest: ['socket', 'sendto', 'recvfrom', 'close'],
  // process
  prlimit: ['prlimit64'],
  resetSignals: ['rt_sigaction', 'rt_sigprocmask'],
  exit: ['exit_group'],
  // seccomp
  setSeccompFilter: ['seccomp'],
  setSeccompListener: ['seccomp', 'write'],
  // spawn
  memoryFile: ['memfd_create', 'write', 'lseek'],
  pipe: ['pipe2', 'fcntl'],
  spawn: ['clone'],
  pollSpawned: ['poll'],
  readAvailable: ['read'],
  waitSpawned: ['waitid'],
  killGroup: ['kill'],
  monotonicMs: ['clock_gettime'],
  // terminal
  openPtyPeer: ['ioctl'],
  setWindowSize: ['ioctl'],
  setControllingTerminal: ['ioctl'],
  // trees
  readDirectory: ['getdents64'],
  ownerOf: ['statx'],
  chownFile: ['fchownat'],
  chmodFile: ['fchmod'],
  copyContents: ['sendfile'],
};

/** The kernel's calls that one of ours makes; its own name with underscores where nothing else is known. */
export function kernelNames(name: keyof Syscall): readonly string[] {
  return others[name] ?? [name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
}
