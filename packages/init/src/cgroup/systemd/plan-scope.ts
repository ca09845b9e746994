import { join } from 'node:path/posix';
import type { OciResources } from '../../config/spec/resources.ts';
import { InvalidConfigError } from '../../errors.ts';
import { isGiven } from '../cgroup-write.ts';
import { cpuWeight, ioWeight } from '../conversions.ts';
import type { DeviceRule } from '../device-rules.ts';
import type { BusKind } from './bus-address.ts';
import type { DbusVariant } from './dbus-type.ts';

/** A transient scope unit that systemd is asked for. */
export type ScopePlan = {
  bus: BusKind;
  /** Such as `pilotlight-demo.scope`. */
  unit: string;
  /** Such as `user-1000.slice`. */
  slice: string;
  /** Where systemd puts it, from the cgroup that it manages. */
  path: string;
  properties: ScopeProperty[];
};

export type ScopeProperty = {
  name: string;
  value: DbusVariant;
  /** The first systemd that knows it; an older one is not told, and the control file is written all the same. */
  since?: number;
};

const field = 'linux.cgroupsPath';
const hint =
  'With the systemd driver it has the form "slice:prefix:name", for example "system.slice:pilotlight:demo"; each part but the name may be empty.';

/**
 * The scope for a `cgroupsPath` of the form `slice:prefix:name`: the unit `prefix-name.scope` in the slice. Without a path
 * it is `pilotlight-ID.scope` in `system.slice`, or the user's `user.slice`.
 *
 * @param user whether the user's own service manager is asked, as a rootless launch does
 * @throws InvalidConfigError
 */
export function planScope(
  cgroupsPath: string | undefined,
  id: string,
  { user, unified }: { user: boolean; unified: boolean },
  resources: OciResources,
  deviceRules: readonly DeviceRule[] | undefined,
): ScopePlan {
  const defaultSlice = user ? 'user.slice' : 'system.slice';
  const parts =
    cgroupsPath === undefined || cgroupsPath === ''
      ? ['', 'pilotlight', id]
      : cgroupsPath.split(':');
  const [slicePart = '', prefix = '', name = ''] = parts;
  if (parts.length !== 3 || name === '' || !/^[\w.@\\+-]+$/.test(prefix + name)) {
    throw new InvalidConfigError(
      field,
      `${field}: ${JSON.stringify(cgroupsPath)} names no systemd scope`,
      { hint },
    );
  }
  const slice = slicePart === '' ? defaultSlice : slicePart;
  const unit = `${prefix === '' ? '' : `${prefix}-`}${name}.scope`;
  if (unit.length > 255) {
    throw new InvalidConfigError(
      field,
      `${field}: the name of a systemd unit has at most 255 letters`,
      { hint },
    );
  }
  return {
    bus: user ? 'user' : 'system',
    unit,
    slice,
    path: join(expandSlice(slice), unit),
    properties: [
      { name: 'Description', value: text(`container ${id}`) },
      { name: 'Slice', value: text(slice) },
      // The scope's cgroup is ours from here on, and so are those below it.
      { name: 'Delegate', value: flag(true) },
      // Or the scope would be ordered against the shutdown of the machine, and wait for what is starting.
      { name: 'DefaultDependencies', value: flag(false) },
      ...resourceProperties(resources, unified),
      ...deviceProperties(deviceRules),
    ],
  };
}

/**
 * Where the cgroup of a slice is: each dash is one level, so that `a-b.slice` is `/a.slice/a-b.slice`; systemd.slice(5).
 *
 * @throws InvalidConfigError
 */
export function expandSlice(slice: string): string {
  if (slice === '-.slice') return '/';
  const name = slice.endsWith('.slice') ? slice.slice(0, -'.slice'.length) : '';
  const parts = name.split('-');
  if (parts.includes('') || !/^[\w.@\\+-]+$/.test(name)) {
    throw new InvalidConfigError(field, `${field}: ${JSON.stringify(slice)} is no systemd slice`, {
      hint,
    });
  }
  return parts.reduce(
    (path, _, index) => `${path}/${parts.slice(0, index + 1).join('-')}.slice`,
    '',
  );
}

const text = (value: string): DbusVariant => ({ signature: 's', value });
const flag = (value: boolean): DbusVariant => ({ signature: 'b', value });
const uint64 = (value: number | bigint): DbusVariant => ({ signature: 't', value: BigInt(value) });

/** systemd's own "no limit". */
const INFINITY = 2n ** 64n - 1n;
const limit = (value: number | bigint): DbusVariant => uint64(value < 0 ? INFINITY : value);

/**
 * What systemd is told of the limits, so that it does not reset them at a later reload. The control files are written
 * from the same resources afterwards, and are what counts.
 */
function resourceProperties(resources: OciResources, unified: boolean): ScopeProperty[] {
  const { memory, cpu, pids, blockIO } = resources;
  const properties: ScopeProperty[] = [];
  const add = (name: string, value: DbusVariant, since?: number): void => {
    properties.push({ name, value, ...(since === undefined ? {} : { since }) });
  };
  if (isGiven(memory?.limit)) add(unified ? 'MemoryMax' : 'MemoryLimit', limit(memory.limit));
  if (unified && isGiven(memory?.reservation)) add('MemoryLow', limit(memory.reservation));
  if (unified && isGiven(memory?.swap)) {
    const { swap, limit: max } = memory;
    if (swap < 0) add('MemorySwapMax', uint64(INFINITY));
    else if (isGiven(max)) add('MemorySwapMax', uint64(BigInt(swap) - BigInt(max)));
  }
  if (isGiven(cpu?.shares)) {
    if (unified) add('CPUWeight', uint64(cpuWeight(cpu.shares)));
    else add('CPUShares', uint64(cpu.shares));
  }
  if (isGiven(cpu?.quota)) {
    const period = isGiven(cpu.period) ? cpu.period : 100_000;
    add('CPUQuotaPeriodUSec', uint64(period), 242);
    add('CPUQuotaPerSecUSec', cpuQuota(BigInt(cpu.quota), BigInt(period)));
  }
  if (unified && cpu?.cpus) add('AllowedCPUs', mask(cpu.cpus), 244);
  if (unified && cpu?.mems) add('AllowedMemoryNodes', mask(cpu.mems), 244);
  if (pids?.limit !== undefined) add('TasksMax', limit(isGiven(pids.limit) ? pids.limit : 1));
  if (isGiven(blockIO?.weight)) {
    if (unified) add('IOWeight', uint64(ioWeight(blockIO.weight)));
    else add('BlockIOWeight', uint64(blockIO.weight));
  }
  return properties;
}

/** Microseconds per second, of which systemd takes whole hundredths: rounded up, never down. */
function cpuQuota(quota: bigint, period: bigint): DbusVariant {
  if (quota < 0n) return uint64(INFINITY);
  const perSecond = (quota * 1_000_000n) / period;
  return uint64(((perSecond + 9999n) / 10_000n) * 10_000n);
}

/** A list such as `0-3,7` as a bit mask, lowest byte first. */
export function mask(list: string): DbusVariant {
  const bytes: number[] = [];
  for (const range of list.split(',')) {
    const [first = 0, last = first] = range.split('-').map(Number);
    if (last > 65_535) {
      throw new InvalidConfigError(
        'linux.resources.cpu',
        `linux.resources.cpu: ${last} is beyond the CPUs and nodes that a kernel can have`,
        { hint: 'Look into /sys/devices/system/cpu/possible.' },
      );
    }
    for (let bit = first; bit <= last; bit++) {
      while (bytes.length <= bit >> 3) bytes.push(0);
      bytes[bit >> 3]! |= 1 << (bit & 7);
    }
  }
  return { signature: 'ay', value: Uint8Array.from(bytes) };
}

/**
 * systemd knows only what is allowed. It is told of all that some rule allows; the exact rules, with what is denied again, are
 * set beside systemd's and both must agree.
 */
function deviceProperties(rules: readonly DeviceRule[] | undefined): ScopeProperty[] {
  const [first] = rules ?? [];
  // Rules that do not begin by denying all leave everything allowed that they do not name.
  if (rules === undefined || first?.type !== 'a' || first.allow) return [];
  const allowed = rules.filter(({ allow }) => allow).map(deviceAllow);
  const isAll = rules.some(({ allow, type }) => allow && type === 'a');
  return [
    { name: 'DevicePolicy', value: text(isAll ? 'auto' : 'strict') },
    { name: 'DeviceAllow', value: { signature: 'a(ss)', value: isAll ? [] : allowed } },
  ];
}

function deviceAllow({ type, major, minor, access }: DeviceRule): [device: string, access: string] {
  const kind = type === 'b' ? 'block' : 'char';
  if (major === undefined) return [`${kind}-*`, access];
  // A group of devices, by its number, systemd 240.
  if (minor === undefined) return [`${kind}-${major}`, access];
  return [`/dev/${kind}/${major}:${minor}`, access];
}
