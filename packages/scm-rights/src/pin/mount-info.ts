import { posix } from 'node:path';

/** One line of /proc/self/mountinfo, as far as private mounts need it; proc_pid_mountinfo(5). */
export interface MountInfo {
  id: number;
  parentId: number;
  /** `major:minor` of the file system. */
  device: string;
  /** The directory of the file system that is mounted. */
  root: string;
  mountPoint: string;
  /** Whether mounts below it reach other mount namespaces. */
  shared: boolean;
}

/** The mounts in the text of a mountinfo file, in its order: of two at one place the later covers the earlier. */
export function parseMountInfo(text: string): MountInfo[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      const optional = fields.slice(6, fields.indexOf('-', 6));
      return {
        id: Number(fields[0]),
        parentId: Number(fields[1]),
        device: fields[2] ?? '',
        root: unescape(fields[3] ?? ''),
        mountPoint: unescape(fields[4] ?? ''),
        shared: optional.some((field) => field.startsWith('shared:')),
      };
    });
}

/** The mount that is visible exactly at `path` (absolute, without links), if it is a mount point. */
export function mountAt(mounts: readonly MountInfo[], path: string): MountInfo | undefined {
  return mounts.findLast(({ mountPoint }) => mountPoint === path);
}

/** Whether a mount shows, at its place, just what its parent mount has there: a directory bound onto itself. */
export function isSelfBind(mounts: readonly MountInfo[], mount: MountInfo): boolean {
  const parent = mounts.find(({ id }) => id === mount.parentId);
  if (parent === undefined || parent.device !== mount.device) return false;
  const below = posix.relative(parent.mountPoint, mount.mountPoint);
  return posix.join(parent.root, below) === mount.root;
}

/** Space, tab, newline and backslash are written as three octal digits. */
function unescape(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
