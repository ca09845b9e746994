import { type FdLike, fdNumber, OwnedFd, syscallError } from '@pilotlight/scm-rights';
import { loadLibc } from '@pilotlight/scm-rights/libc';

const SYS_bpf = process.arch === 'arm64' ? 280 : 321;
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
/** The kernel takes more than it knows as long as the rest is zero. */
const ATTR_BYTES = 128;
const LOG_BYTES = 16 * 1024;
const INSTRUCTION_BYTES = 8;
const hint =
  'Device rules on cgroup v2 need CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN, and a kernel with CONFIG_CGROUP_BPF.';

/**
 * Has the kernel verify a device program; bpf(2), BPF_PROG_LOAD, Linux 4.15.
 *
 * @returns its descriptor, which the caller owns
 * @throws SyscallError; EINVAL and EACCES with the verifier's last words as operand
 */
export function loadDeviceProgram(instructions: Uint8Array): OwnedFd {
  const libc = loadLibc();
  const license = Buffer.from('MIT\0');
  const log = Buffer.alloc(LOG_BYTES);
  const code = Buffer.from(instructions);
  const attr = Buffer.alloc(ATTR_BYTES);
  attr.writeUInt32LE(BPF_PROG_TYPE_CGROUP_DEVICE, 0);
  attr.writeUInt32LE(instructions.length / INSTRUCTION_BYTES, 4);
  attr.writeBigUInt64LE(libc.address(code), 8);
  attr.writeBigUInt64LE(libc.address(license), 16);
  attr.writeUInt32LE(1, 24);
  attr.writeUInt32LE(LOG_BYTES, 28);
  attr.writeBigUInt64LE(libc.address(log), 32);
  const fd = callBpf(BPF_PROG_LOAD, attr, [code, license, log]);
  if (fd < 0) {
    const said = log
      .toString('latin1', 0, Math.max(0, log.indexOf(0)))
      .trim()
      .slice(-500);
    throw syscallError(fd, 'bpf', { path: said === '' ? 'device program' : said, hint });
  }
  return new OwnedFd(fd, 'device program');
}

/** Puts a device program on a cgroup, beside those already there; bpf(2), BPF_PROG_ATTACH. @throws SyscallError */
export function attachDeviceProgram(program: FdLike, cgroup: FdLike, path: string): void {
  const attr = Buffer.alloc(ATTR_BYTES);
  attr.writeUInt32LE(fdNumber(cgroup), 0);
  attr.writeUInt32LE(fdNumber(program), 4);
  attr.writeUInt32LE(BPF_CGROUP_DEVICE, 8);
  attr.writeUInt32LE(BPF_F_ALLOW_MULTI, 12);
  const result = callBpf(BPF_PROG_ATTACH, attr);
  if (result < 0) throw syscallError(result, 'bpf', { path, hint });
}

/** Buffers whose addresses the kernel is being given: a number would not keep them alive. */
const pointedTo = new Set<Buffer>();

/** Returns the result, or the negative errno. */
function callBpf(command: number, attr: Buffer, buffers: readonly Buffer[] = []): number {
  const libc = loadLibc();
  for (const buffer of [attr, ...buffers]) pointedTo.add(buffer);
  const result = libc.syscall(SYS_bpf, command, libc.address(attr), ATTR_BYTES);
  const errno = libc.errno();
  pointedTo.clear();
  return result < 0 ? -errno : result;
}
