import type { OciDeviceRule } from '../config/oci-spec.ts';

/** One rule of the device controller. `undefined` for a number means every number. */
export type DeviceRule = {
  allow: boolean;
  type: 'a' | 'b' | 'c';
  major: number | undefined;
  minor: number | undefined;
  /** Some of `r`, `w`, `m` (mknod). */
  access: string;
};

const allowed = (
  type: 'b' | 'c',
  major: number | undefined,
  minor: number | undefined,
  access = 'rwm',
): DeviceRule => ({ allow: true, type, major, minor, access });

/** What every container may use whatever its own rules say: its default devices, ptys, and mknod. */
const always: readonly DeviceRule[] = [
  allowed('c', undefined, undefined, 'm'),
  allowed('b', undefined, undefined, 'm'),
  allowed('c', 1, 3),
  allowed('c', 1, 5),
  allowed('c', 1, 7),
  allowed('c', 1, 8),
  allowed('c', 1, 9),
  allowed('c', 5, 0),
  allowed('c', 5, 2),
  allowed('c', 136, undefined),
];

/** The configuration's rules in their order, then those that the default devices need. */
export function planDeviceRules(rules: readonly OciDeviceRule[]): DeviceRule[] {
  return [...rules.flatMap(splitRule), ...always];
}

/** `a` means every device with every access to the kernel: anything narrower becomes two rules. */
function splitRule({ allow, type, major, minor, access }: OciDeviceRule): DeviceRule[] {
  const rule = {
    allow,
    major: wildcard(major),
    minor: wildcard(minor),
    access: access === undefined || access === '' ? 'rwm' : access,
  };
  if (type === 'b' || type === 'c') return [{ ...rule, type }];
  const isEverything =
    rule.major === undefined && rule.minor === undefined && new Set(rule.access).size === 3;
  return isEverything
    ? [{ ...rule, type: 'a' }]
    : [
        { ...rule, type: 'b' },
        { ...rule, type: 'c' },
      ];
}

const wildcard = (number: number | bigint | undefined): number | undefined =>
  number === undefined || number < 0 ? undefined : Number(number);
