import { cStringBytes } from './c-string.ts';
import { invokeSyscall } from './invoke.ts';
import { loadLibc } from './library.ts';
import { SYS_mount_setattr } from './syscall-number.ts';

/** `struct mount_attr`: MOUNT_ATTR_… bits to set and clear, one MS_… propagation type, the user namespace of an id map. */
export interface MountAttr {
  set?: bigint;
  clear?: bigint;
  propagation?: number;
  userNsFd?: number;
}

/** Changes properties of a mount, with AT_RECURSIVE of the tree; `mount_setattr(2)`, Linux 5.12. */
export function mountSetattr(dirfd: number, path: string, flags: number, attr: MountAttr): void {
  const name = cStringBytes(path);
  const struct = new BigUint64Array([
    attr.set ?? 0n,
    attr.clear ?? 0n,
    BigInt(attr.propagation ?? 0),
    BigInt(attr.userNsFd ?? 0),
  ]);
  const libc = loadLibc();
  invokeSyscall(
    'mount_setattr',
    path === '' ? dirfd : path,
    SYS_mount_setattr,
    dirfd,
    libc.address(name),
    flags,
    libc.address(struct),
    struct.byteLength,
  );
}
