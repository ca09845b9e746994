import { join } from 'node:path/posix';
import type { OciIntelRdt } from '../config/spec/attributes.ts';
import { InvalidConfigError, UnsupportedConfigError } from '../errors.ts';
import type { Resctrl } from './resctrl.ts';

/** Where the container stands in resctrl; Documentation/filesystems/resctrl.rst of the kernel. */
export type RdtPlan = {
  root: string;
  /** Directory of the class of service. */
  group: string;
  /**
   * - `own`: made for the container and removed with it
   * - `named`: made if it is missing, and left
   * - `existing`: somebody else's, and must be there
   */
  kind: 'own' | 'named' | 'existing';
  /** Lines that a group which is there already must hold. */
  required: string[];
  /** Lines to write, in this order. */
  schemata: string[];
  /** Directory of a monitoring group of the container's own. */
  monitoring: string | undefined;
};

const notMounted = 'the host has no resctrl file system mounted, which Intel RDT is set through';
const howToMount =
  'Remove the field, or `mount -t resctrl resctrl /sys/fs/resctrl` on a machine and kernel that have it (CONFIG_X86_CPU_RESCTRL).';

/**
 * @throws UnsupportedConfigError where resctrl is not mounted, or does not know a resource
 * @throws InvalidConfigError for an id that cannot be the name of a group
 */
export function planRdt(
  rdt: OciIntelRdt | null | undefined,
  id: string,
  resctrl: Resctrl,
): RdtPlan | undefined {
  if (rdt === undefined || rdt === null) return undefined;
  const root = resctrl.root();
  if (root === undefined) {
    throw new UnsupportedConfigError('linux.intelRdt', notMounted, [], { hint: howToMount });
  }
  const { closID = '', l3CacheSchema = '', memBwSchema = '', enableMonitoring = false } = rdt;
  const need = (field: string, ...resources: string[]): void => {
    if (resources.some((resource) => resctrl.has(root, resource))) return;
    const reason = `resctrl of this machine has no ${resources[0]}`;
    const hint = `Look at ${join(root, 'info')} for what it has.`;
    throw new UnsupportedConfigError(`linux.intelRdt.${field}`, reason, [], { hint });
  };
  // With code and data prioritization the cache has two resources in place of one.
  if (l3CacheSchema !== '') need('l3CacheSchema', 'L3', 'L3CODE');
  if (memBwSchema !== '') need('memBwSchema', 'MB');
  if (enableMonitoring) need('enableMonitoring', 'L3_MON');
  if (closID === '' && ['info', 'mon_groups', 'mon_data'].includes(id)) {
    throw new InvalidConfigError('id', `id: resctrl has a directory ${id} of its own`, {
      hint: 'Choose another id, or set linux.intelRdt.closID.',
    });
  }
  const first = [l3CacheSchema, memBwSchema].filter((line) => line !== '');
  const schemata = [...first, ...(rdt.schemata ?? []).filter((line) => line !== '')];
  const group = closID === '/' ? root : join(root, closID === '' ? id : closID);
  const named = schemata.length > 0 && closID !== '/' ? 'named' : 'existing';
  return {
    root,
    group,
    kind: closID === '' ? 'own' : named,
    required: closID === '' ? [] : first,
    schemata,
    monitoring: enableMonitoring ? join(group, 'mon_groups', id) : undefined,
  };
}
