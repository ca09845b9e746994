// What the options of an OCI mount mean to the kernel's mount API, mount_setattr(2) and fsconfig(2).

export const MOUNT_ATTR_RDONLY = 0x1;
export const MOUNT_ATTR_NOSUID = 0x2;
export const MOUNT_ATTR_NODEV = 0x4;
export const MOUNT_ATTR_NOEXEC = 0x8;
/** A field of two bits, not a flag: 0 relatime, 0x10 noatime, 0x20 strictatime. */
export const MOUNT_ATTR__ATIME = 0x70;
export const MOUNT_ATTR_NOATIME = 0x10;
export const MOUNT_ATTR_STRICTATIME = 0x20;
export const MOUNT_ATTR_NODIRATIME = 0x80;
export const MOUNT_ATTR_NOSYMFOLLOW = 0x20_0000;

export const MS_UNBINDABLE = 0x2_0000;
export const MS_PRIVATE = 0x4_0000;
export const MS_SLAVE = 0x8_0000;
export const MS_SHARED = 0x10_0000;

/** Attributes to set and to clear, as mount_setattr(2) takes them. */
export type AttributeChange = { set: number; clear: number };
export type PropagationChange = { propagation: number; recursive: boolean };

export type MountOptions = {
  bind: 'none' | 'bind' | 'rbind';
  /** Change what is mounted there already. */
  remount: boolean;
  /** For a tmpfs: fill it with what the root file system has there. */
  copyUp: boolean;
  /** For a bind: map its ids, of this mount alone or of those below it too. */
  idMap: 'none' | 'idmap' | 'ridmap';
  /** For the mount itself. */
  attributes: AttributeChange;
  /** For the mount and everything below it: the options that start with `r` (rro, rnosuid, …). */
  recursiveAttributes: AttributeChange;
  propagation: PropagationChange[];
  /** Flags of the file system, set before its own parameters: `ro`, `sync`, `dirsync`, … */
  superblockFlags: string[];
  /** Parameters of the file system; `null` for one without a value. */
  parameters: [key: string, value: string | null][];
};

type Flag = { set: number } | { clear: number };
const set = (bits: number): Flag => ({ set: bits });
const clear = (bits: number): Flag => ({ clear: bits });

// Maps, not objects: an option may be called `constructor`.
const attributeOptions: ReadonlyMap<string, Flag> = mapOf({
  ro: set(MOUNT_ATTR_RDONLY),
  rw: clear(MOUNT_ATTR_RDONLY),
  nosuid: set(MOUNT_ATTR_NOSUID),
  suid: clear(MOUNT_ATTR_NOSUID),
  nodev: set(MOUNT_ATTR_NODEV),
  dev: clear(MOUNT_ATTR_NODEV),
  noexec: set(MOUNT_ATTR_NOEXEC),
  exec: clear(MOUNT_ATTR_NOEXEC),
  nodiratime: set(MOUNT_ATTR_NODIRATIME),
  diratime: clear(MOUNT_ATTR_NODIRATIME),
  noatime: set(MOUNT_ATTR_NOATIME),
  atime: clear(MOUNT_ATTR_NOATIME),
  relatime: clear(MOUNT_ATTR__ATIME),
  // Takes back no other choice, and relatime is what the kernel does without one; mount(2).
  norelatime: clear(0),
  strictatime: set(MOUNT_ATTR_STRICTATIME),
  nostrictatime: clear(MOUNT_ATTR_STRICTATIME),
  nosymfollow: set(MOUNT_ATTR_NOSYMFOLLOW),
  symfollow: clear(MOUNT_ATTR_NOSYMFOLLOW),
});

const propagationOptions: ReadonlyMap<string, PropagationChange> = mapOf({
  private: { propagation: MS_PRIVATE, recursive: false },
  rprivate: { propagation: MS_PRIVATE, recursive: true },
  slave: { propagation: MS_SLAVE, recursive: false },
  rslave: { propagation: MS_SLAVE, recursive: true },
  shared: { propagation: MS_SHARED, recursive: false },
  rshared: { propagation: MS_SHARED, recursive: true },
  unbindable: { propagation: MS_UNBINDABLE, recursive: false },
  runbindable: { propagation: MS_UNBINDABLE, recursive: true },
});

/** A flag of fsconfig(2) to give or to take back; `undefined` for what needs neither. */
type SuperblockOption = { flag: string; on: boolean } | undefined;
const flagOn = (flag: string): SuperblockOption => ({ flag, on: true });
const flagOff = (flag: string): SuperblockOption => ({ flag, on: false });

const superblockOptions: ReadonlyMap<string, SuperblockOption> = mapOf<SuperblockOption>({
  sync: flagOn('sync'),
  async: flagOff('sync'),
  dirsync: flagOn('dirsync'),
  lazytime: flagOn('lazytime'),
  nolazytime: flagOff('lazytime'),
  mand: flagOn('mand'),
  nomand: flagOff('mand'),
  iversion: flagOn('iversion'),
  noiversion: flagOff('iversion'),
  silent: undefined,
  loud: undefined,
  defaults: undefined,
});

/** Splits the options of one mount; a later option overrides an earlier one. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const parsed: MountOptions = {
    bind: 'none',
    remount: false,
    copyUp: false,
    idMap: 'none',
    attributes: { set: 0, clear: 0 },
    recursiveAttributes: { set: 0, clear: 0 },
    propagation: [],
    superblockFlags: [],
    parameters: [],
  };
  for (const option of options) {
    const attribute = attributeOptions.get(option);
    const recursive = option.startsWith('r') ? attributeOptions.get(option.slice(1)) : undefined;
    const propagation = propagationOptions.get(option);
    if (option === 'bind' || option === 'rbind') parsed.bind = option;
    else if (option === 'remount') parsed.remount = true;
    else if (option === 'tmpcopyup') parsed.copyUp = true;
    else if (option === 'idmap' || option === 'ridmap') parsed.idMap = option;
    else if (attribute !== undefined) apply(parsed.attributes, attribute);
    else if (propagation !== undefined) parsed.propagation.push(propagation);
    else if (recursive !== undefined) apply(parsed.recursiveAttributes, recursive);
    else if (superblockOptions.has(option)) {
      const superblock = superblockOptions.get(option);
      if (superblock === undefined) continue;
      const { flag, on } = superblock;
      parsed.superblockFlags = parsed.superblockFlags.filter((earlier) => earlier !== flag);
      if (on) parsed.superblockFlags.push(flag);
    } else parsed.parameters.push(...splitAtCommas(option).map((part) => parameter(part)));
  }
  return parsed;
}

/** Every option that is not left to the file system, in the order of the alphabet. */
export function mountOptionNames(): string[] {
  return [
    'bind',
    'rbind',
    'remount',
    'tmpcopyup',
    'idmap',
    'ridmap',
    ...attributeOptions.keys(),
    ...[...attributeOptions.keys()].map((name) => `r${name}`),
    ...propagationOptions.keys(),
    ...superblockOptions.keys(),
  ].toSorted();
}

function mapOf<Value>(entries: Record<string, Value>): ReadonlyMap<string, Value> {
  return new Map(Object.entries(entries));
}

/**
 * mount(2) takes all parameters as one text with commas, so one option may hold several. A comma
 * that is quoted or follows a backslash belongs to its value; see mount(8).
 */
function splitAtCommas(option: string): string[] {
  const parts = [''];
  let quoted = false;
  let previous = '';
  for (const character of option) {
    if (character === '"') quoted = !quoted;
    if (character === ',' && !quoted && previous !== '\\') parts.push('');
    else parts[parts.length - 1] += character;
    previous = character;
  }
  return parts.filter((part) => part !== '').map((part) => part.replaceAll('\\,', ','));
}

function parameter(option: string): [string, string | null] {
  const equals = option.indexOf('=');
  if (equals === -1) return [option, null];
  const value = option.slice(equals + 1);
  return [option.slice(0, equals), value.replace(/^"(.*)"$/s, '$1')];
}

function apply(change: AttributeChange, flag: Flag): void {
  const bits = 'set' in flag ? flag.set : flag.clear;
  const isAtime = (bits & MOUNT_ATTR__ATIME) !== 0;
  // The atime mode is one field of several bits: the kernel wants all of it cleared before one
  // value is set (EINVAL otherwise), and an earlier choice must not mix with a later one.
  const mask = isAtime ? MOUNT_ATTR__ATIME : bits;
  const setBits = 'set' in flag ? bits : 0;
  change.set = (change.set & ~mask) | setBits;
  change.clear = isAtime || setBits === 0 ? change.clear | mask : change.clear & ~mask;
}
