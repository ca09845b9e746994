import { posix } from 'node:path';
import type { OciMount } from '@pilotlight/init';
import type { RuncMount, RuncMountAttributes } from './runc-config.ts';

const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MOUNT_ATTR__ATIME = 0x70;
const EXT_COPYUP = 1;

/** An option sets a bit of mount(2), or, as the opposite of another, clears it. */
type Bits = { set: number } | { clear: number };

const oppositesOf = (bit: number, on: string, off: string): [string, Bits][] => [
  [on, { set: bit }],
  [off, { clear: bit }],
];

/** MS_* of mount(2), linux/mount.h. */
const flagOptions = new Map<string, Bits>([
  ...oppositesOf(0x1, 'ro', 'rw'),
  ...oppositesOf(0x2, 'nosuid', 'suid'),
  ...oppositesOf(0x4, 'nodev', 'dev'),
  ...oppositesOf(0x8, 'noexec', 'exec'),
  ...oppositesOf(0x10, 'sync', 'async'),
  ['remount', { set: 0x20 }],
  ...oppositesOf(0x40, 'mand', 'nomand'),
  ['dirsync', { set: 0x80 }],
  ...oppositesOf(0x100, 'nosymfollow', 'symfollow'),
  ...oppositesOf(0x400, 'noatime', 'atime'),
  ...oppositesOf(0x800, 'nodiratime', 'diratime'),
  ['bind', { set: MS_BIND }],
  ['rbind', { set: MS_BIND | MS_REC }],
  ...oppositesOf(0x8000, 'silent', 'loud'),
  ...oppositesOf(0x20_0000, 'relatime', 'norelatime'),
  ...oppositesOf(0x80_0000, 'iversion', 'noiversion'),
  ...oppositesOf(0x100_0000, 'strictatime', 'nostrictatime'),
  ...oppositesOf(0x200_0000, 'lazytime', 'nolazytime'),
  ['defaults', { set: 0 }],
]);

/** MOUNT_ATTR_* of mount_setattr(2), by the option with an `r` before it, which is about everything below as well. */
const recursiveOptions = new Map<string, { set: number; clear: number }>([
  ...attribute(0x1, 'ro', 'rw'),
  ...attribute(0x2, 'nosuid', 'suid'),
  ...attribute(0x4, 'nodev', 'dev'),
  ...attribute(0x8, 'noexec', 'exec'),
  ...attribute(0x80, 'nodiratime', 'diratime'),
  ...attribute(0x20_0000, 'nosymfollow', 'symfollow'),
  // One field of several bits, whose value 0 is relatime: all of it is cleared before one is set.
  ['rrelatime', { set: 0, clear: MOUNT_ATTR__ATIME }],
  ['rnoatime', { set: 0x10, clear: MOUNT_ATTR__ATIME }],
  ['rstrictatime', { set: 0x20, clear: MOUNT_ATTR__ATIME }],
  ['rnorelatime', { set: 0, clear: MOUNT_ATTR__ATIME }],
  ['rnostrictatime', { set: 0, clear: MOUNT_ATTR__ATIME }],
]);

function attribute(
  bit: number,
  on: string,
  off: string,
): [string, { set: number; clear: number }][] {
  return [
    [`r${on}`, { set: bit, clear: 0 }],
    [`r${off}`, { set: 0, clear: bit }],
  ];
}

const propagations = new Map<string, number>([
  ['unbindable', 0x2_0000],
  ['private', 0x4_0000],
  ['slave', 0x8_0000],
  ['shared', 0x10_0000],
]);

/** MS_* for `private`, `rslave` and so on; undefined if it is no such name. mount_namespaces(7). */
export function propagationFlags(name: string): number | undefined {
  const flag = propagations.get(name);
  if (flag !== undefined) return flag;
  const below = name.startsWith('r') ? propagations.get(name.slice(1)) : undefined;
  return below === undefined ? undefined : below | MS_REC;
}

/** A mount of the specification in the terms of runc. `bundle` is where relative sources of bind mounts start. */
export function describeMount(mount: OciMount, bundle: string): RuncMount {
  let flags = mount.type === 'bind' ? MS_BIND : 0;
  let extensions = 0;
  const propagation: number[] = [];
  const recursive = { set: 0, clear: 0 };
  const rest: string[] = [];
  for (const option of mount.options ?? []) {
    const bits = flagOptions.get(option);
    const below = recursiveOptions.get(option);
    const spread = propagationFlags(option);
    if (bits !== undefined) flags = 'set' in bits ? flags | bits.set : flags & ~bits.clear;
    else if (spread !== undefined) propagation.push(spread);
    else if (below !== undefined) change(recursive, below);
    else if (option === 'tmpcopyup') extensions |= EXT_COPYUP;
    else rest.push(option);
  }
  const isBind = (flags & MS_BIND) !== 0;
  const source = mount.source ?? '';
  return {
    source: isBind ? posix.resolve(bundle, source) : source,
    destination: posix.join('/', mount.destination),
    device: isBind ? 'bind' : (mount.type ?? ''),
    flags,
    propagation_flags: propagation.length === 0 ? null : propagation,
    data: rest.join(','),
    relabel: '',
    rec_attr: describeAttributes(recursive),
    extensions,
    premount_cmds: null,
    postmount_cmds: null,
  };
}

/** A later option overrides an earlier one. */
function change(total: { set: number; clear: number }, { set, clear }: typeof total): void {
  total.set = (total.set & ~clear) | set;
  total.clear = (total.clear & ~set) | clear;
}

function describeAttributes({
  set,
  clear,
}: {
  set: number;
  clear: number;
}): RuncMountAttributes | null {
  if (set === 0 && clear === 0) return null;
  return { Attr_set: set, Attr_clr: clear, Propagation: 0, Userns_fd: 0 };
}
