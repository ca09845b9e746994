import { loadLibc } from './library.ts';
import { cStringBytes } from './c-string.ts';
import { OPEN_TREE_CLOEXEC } from './constants.ts';
import { invokeSyscall } from './invoke.ts';
import { SYS_open_tree } from './syscall-number.ts';

/**
 * A descriptor of the mount at `path`, or of a detached copy of it with OPEN_TREE_CLONE; `open_tree(2)`, Linux 5.2.
 *
 * Close-on-exec. With AT_EMPTY_PATH and an empty `path` it is about `dirfd` itself. The caller closes it.
 */
export function openTree(dirfd: number, path: string, flags: number): number {
  const name = cStringBytes(path);
  const operand = path === '' ? dirfd : path;
  return invokeSyscall(
    'open_tree',
    operand,
    SYS_open_tree,
    dirfd,
    loadLibc().address(name),
    flags | OPEN_TREE_CLOEXEC,
  );
}
