/** The flags of clone3(2) that make namespaces, by the names of the OCI specification. */
const names: readonly (readonly [flag: number, name: string])[] = [
  [0x0000_0080, 'time'],
  [0x0002_0000, 'mount'],
  [0x0200_0000, 'cgroup'],
  [0x0400_0000, 'uts'],
  [0x0800_0000, 'ipc'],
  [0x1000_0000, 'user'],
  [0x2000_0000, 'pid'],
  [0x4000_0000, 'network'],
];

export function namespaceNames(cloneFlags: number): string[] {
  return names.flatMap(([flag, name]) => ((cloneFlags & flag) === 0 ? [] : [name]));
}
