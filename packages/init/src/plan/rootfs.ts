import { resolve } from 'node:path';
import type { PlannedRootfs } from '../config/init-config.ts';
import type { OciSpec } from '../config/oci-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import { MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE } from './mount-options.ts';

/**
 * The root file system and how mounts spread from and to it; config-linux.md, Rootfs Mount
 * Propagation. Default: rslave.
 *
 * `private` and `slave` hold for everything of the host that is seen on the way, as their
 * recursive forms do: a volume of the host must not stay tied to it because the host's root is
 * not. `shared` leaves the host's mounts as they are, so that volumes can be shared with it, and
 * makes the root itself a new peer group.
 *
 * @throws InvalidConfigError for a combination that opens a way out
 */
export function planRootfs(spec: OciSpec, bundle: string, noPivot: boolean): PlannedRootfs {
  const path = resolve(bundle, spec.root.path);
  const readonly = spec.root.readonly ?? false;
  const asked = spec.linux?.rootfsPropagation ?? '';
  if (noPivot) requireSafeWithoutPivot(path, asked);
  return {
    path,
    readonly,
    // The host's own root: whatever is mounted on it must be as read-only as itself.
    readonlyBelow: readonly && path === '/',
    ...propagationOf(asked),
    ...(noPivot ? { noPivot } : {}),
  };
}

function propagationOf(
  asked: string,
): Pick<PlannedRootfs, 'propagation' | 'propagationRecursive' | 'ownPropagation'> {
  const recursive = asked.startsWith('r');
  switch (recursive ? asked.slice(1) : asked) {
    case 'private':
      return { propagation: MS_PRIVATE, propagationRecursive: true };
    case 'shared':
      return {
        propagation: MS_SHARED,
        propagationRecursive: recursive,
        ownPropagation: { propagation: MS_SHARED, recursive },
      };
    case 'unbindable':
      // Not before it is the root: an unbindable mount could not be made into one.
      return {
        propagation: MS_PRIVATE,
        propagationRecursive: true,
        ownPropagation: { propagation: MS_UNBINDABLE, recursive },
      };
    default:
      return { propagation: MS_SLAVE, propagationRecursive: true };
  }
}

function requireSafeWithoutPivot(path: string, propagation: string): void {
  if (path === '/') {
    throw new InvalidConfigError('root.path', 'root.path: the root cannot be moved over itself', {
      hint: 'Leave noPivot away, or name another directory.',
    });
  }
  if (propagation.endsWith('private')) {
    throw new InvalidConfigError(
      'linux.rootfsPropagation',
      `linux.rootfsPropagation: ${propagation} is not safe without pivot_root`,
      { hint: 'The host\'s mounts stay in reach of the namespace; use "rslave", the default.' },
    );
  }
}
