import { readFileSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';

/** Where this process stands: what pids, pins and records mean here. */
export interface Here {
  bootId: string;
  kernelRelease: string;
  uid: number;
  /** Links of /proc/self/ns; namespaces(7). */
  namespaces: { pid: string; mnt: string };
}

let cached: Here | undefined;

/** Where this process stands, read once. */
export function here(): Here {
  cached ??= {
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    kernelRelease: release(),
    uid: process.geteuid?.() ?? 0,
    namespaces: {
      pid: readlinkSync('/proc/self/ns/pid'),
      mnt: readlinkSync('/proc/self/ns/mnt'),
    },
  };
  return cached;
}
