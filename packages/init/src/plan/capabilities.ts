import type { OciCapabilitySets } from '../config/oci-spec.ts';
import { InvalidConfigError } from '../errors.ts';

/** Capability names in the order of their numbers, linux/capability.h (41 as of Linux 6.x). */
export const capabilityNames: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
];

/** The five sets as lists of capability numbers, ascending. */
export type PlannedCapabilities = {
  bounding: number[];
  effective: number[];
  inheritable: number[];
  permitted: number[];
  ambient: number[];
};

/**
 * Turns the names of the specification into numbers.
 *
 * @throws InvalidConfigError for a name that is no capability
 */
export function planCapabilities(sets: OciCapabilitySets): PlannedCapabilities {
  return {
    bounding: numbers('bounding', sets.bounding),
    effective: numbers('effective', sets.effective),
    inheritable: numbers('inheritable', sets.inheritable),
    permitted: numbers('permitted', sets.permitted),
    ambient: numbers('ambient', sets.ambient),
  };
}

function numbers(set: string, names: readonly string[] | null | undefined): number[] {
  const found = (names ?? []).map((name, index) => {
    const number = capabilityNames.indexOf(name);
    if (number === -1) {
      const field = `process.capabilities.${set}[${index}]`;
      throw new InvalidConfigError(field, `${field}: ${JSON.stringify(name)} is no capability`, {
        hint: 'Use the names of capabilities(7), in capitals and with the CAP_ prefix.',
      });
    }
    return number;
  });
  return [...new Set(found)].toSorted((a, b) => a - b);
}
