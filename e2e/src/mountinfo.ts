/** One line of proc_pid_mountinfo(5), without what differs from one mount to the next. */
export type SeenMount = {
  mountpoint: string;
  /** What of the file system is shown. */
  root: string;
  fstype: string;
  source: string;
  /** Of the mount, sorted. */
  options: string;
  /** Of the super block, sorted. */
  superOptions: string;
  /** `shared`, `master`, `propagate_from`, `unbindable`; without their numbers, sorted. */
  propagation: string;
};

const sorted = (list: string, separator = ','): string =>
  list.split(separator).toSorted().join(separator);

/** Every mount in the text of a mountinfo, by its place. */
export function parseMountinfo(text: string): SeenMount[] {
  return text
    .trim()
    .split('\n')
    .filter((line) => line.includes(' - '))
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [, , , root = '', mountpoint = '', options = '', ...optional] = before.split(' ');
      const [fstype = '', source = '', superOptions = ''] = after.split(' ');
      const propagation = optional.map((field) => field.replace(/:\d+$/, '')).join(' ');
      return {
        mountpoint,
        root,
        fstype,
        source,
        options: sorted(options),
        superOptions: sorted(superOptions),
        propagation: sorted(propagation, ' '),
      };
    })
    .toSorted((one, other) => (one.mountpoint < other.mountpoint ? -1 : 1));
}

/** The last mount made at a place, which is the one that is seen. */
export function mountAt(text: string, mountpoint: string): SeenMount | undefined {
  return parseMountinfo(text).findLast((mount) => mount.mountpoint === mountpoint);
}
