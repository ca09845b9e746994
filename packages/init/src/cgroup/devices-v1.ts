import { writeFile } from 'node:fs/promises';
import { join } from 'node:path/posix';
import type { DeviceRule } from './device-rules.ts';

/**
 * Writes the rules to the device controller of cgroup v1, one write each as the kernel demands.
 *
 * Source: Documentation/admin-guide/cgroup-v1/devices.rst
 */
export async function writeDeviceRules(
  directory: string,
  rules: readonly DeviceRule[],
): Promise<void> {
  for (const rule of rules) {
    await writeFile(
      join(directory, rule.allow ? 'devices.allow' : 'devices.deny'),
      formatRule(rule),
    );
  }
}

/** `a` alone stands for every device and every access. */
export function formatRule({ type, major, minor, access }: DeviceRule): string {
  return type === 'a' ? 'a' : `${type} ${major ?? '*'}:${minor ?? '*'} ${access}`;
}
