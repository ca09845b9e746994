import { type JsonValue, stringifyExactJson } from '@pilotlight/sync';
import { z } from 'zod';
import { parseRecord } from '../record/parse-record.ts';
import { type RuncConfig, runcConfigSchema } from './runc-config.ts';

/** `state.json` of runc, by runc's own names: libcontainer/container_linux.go, 1.1.5 and up to 1.5.1. */
export interface RuncState {
  id: string;
  /** In the pid namespace of whoever wrote it; -1 if there is none. No handle: see `init_process_start`. */
  init_process_pid: number;
  /** Field 22 of /proc/pid/stat, in clock ticks since boot. */
  init_process_start: bigint;
  /** RFC 3339, with up to nine decimals of a second. */
  created: string;
  config: RuncConfig;
  rootless: boolean;
  /** By controller, `name=systemd` among them; the empty name is the cgroup of version 2. */
  cgroup_paths: Readonly<Record<string, string>>;
  /** `NEWPID` and so on, for every kind that the kernel has, the container's own or not. */
  namespace_paths: Readonly<Record<string, string>>;
  /** What the program's descriptors 0 to 2 were, as /proc/pid/fd names them; may be empty. */
  external_descriptors: readonly string[];
  intel_rdt_path: string;
}

const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

/** Members in the order in which runc writes them. What 1.4 and newer leave out when empty is empty here. */
const runcStateSchema: z.ZodType<RuncState> = z.looseObject({
  id: z.string().min(1),
  init_process_pid: z.int().min(-1).max(4_194_304),
  init_process_start: z
    .union([z.int(), z.bigint()])
    .transform(BigInt)
    .refine((start) => start >= 0n && start <= MAX_UINT64, 'must be an unsigned 64-bit number'),
  created: z.iso.datetime({ offset: true }),
  config: runcConfigSchema,
  rootless: z
    .boolean()
    .nullish()
    .transform((rootless) => rootless ?? false),
  cgroup_paths: paths(),
  namespace_paths: paths(),
  external_descriptors: z
    .array(z.string())
    .nullish()
    .transform((links) => links ?? []),
  intel_rdt_path: z
    .string()
    .nullish()
    .transform((path) => path ?? ''),
});

/**
 * Reads the text of a `state.json`; numbers of 64 bits stay exact, members that this does not know are kept.
 *
 * `shown` is its path in messages. Throws BadRecordError.
 */
export function decodeRuncState(text: string, shown = 'state.json'): RuncState {
  return parseRecord(text, runcStateSchema, shown);
}

/** The text of a `state.json`, to the byte as runc 1.1.5 writes it if the members are in its order: compact, no newline. */
export function encodeRuncState(state: RuncState): string {
  const { external_descriptors, ...rest } = state;
  const { intel_rdt_path, ...before } = rest;
  return stringifyExactJson({
    ...before,
    // Go leaves this one out when it is empty.
    ...(external_descriptors.length === 0 ? {} : { external_descriptors }),
    intel_rdt_path,
  } as unknown as JsonValue);
}

function paths(): z.ZodType<Readonly<Record<string, string>>> {
  return z
    .record(z.string(), z.string())
    .nullish()
    .transform((record) => record ?? {});
}
