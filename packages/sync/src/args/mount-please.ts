import * as z from 'zod/mini';
import { InvalidArgError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../json/json-value.ts';
import { isJsonObject, nameMembers } from '../json/member-names.ts';
import { stringifyExactJson } from '../json/stringify.ts';
import { checkArg, parseObjectArg } from './decode-arg.ts';

/** One line of an id map: `size` ids from `container_id` inside are `host_id` and up outside. */
export type MountIdMap = {
  readonly container_id: number;
  readonly host_id: number;
  readonly size: number;
};

/** The user namespace an idmapped mount takes its ids from: a path, or maps to make one with. */
export type MountIdMapping = {
  readonly recursive: boolean;
  readonly userns_path: string;
  readonly uid_mappings: readonly MountIdMap[];
  readonly gid_mappings: readonly MountIdMap[];
};

/** The kernel's struct mount_attr of mount_setattr(2), for attributes set recursively. */
export type MountRecAttr = {
  readonly Attr_set: bigint;
  readonly Attr_clr: bigint;
  readonly Propagation: bigint;
  readonly Userns_fd: bigint;
};

/**
 * The argument of procMountPlease: the mount whose source the parent is asked for, with runc's
 * own member names. What the sender omitted is filled in with its zero value when decoded.
 */
export type MountPleaseArg = {
  readonly source: string;
  readonly destination: string;
  /** The file system type; `bind` for a bind mount. */
  readonly device: string;
  /** MS_… bits of mount(2) to set. */
  readonly flags: number;
  /** MS_… bits to clear; runc 1.2 and newer. */
  readonly cleared_flags: number;
  readonly propagation_flags: readonly number[];
  readonly data: string;
  /** SELinux relabelling: `z`, `Z` or empty; never written by runc 1.5. */
  readonly relabel: string;
  readonly rec_attr?: MountRecAttr;
  readonly extensions: number;
  readonly id_mapping?: MountIdMapping;
};

/**
 * Which members a runc release writes.
 * - `runc-1.2` (1.2 and 1.3): all of them but an absent id_mapping; absent lists are null;
 *   inside id_mapping always recursive, the others when not empty
 * - `runc-1.4`: only those that are not empty, beside source, destination and device
 * - `runc-1.5`: the same, and never relabel
 */
export type MountLayout = 'runc-1.2' | 'runc-1.4' | 'runc-1.5';

const text = /* @__PURE__ */ z._default(/* @__PURE__ */ z.string(), '');
const integer = /* @__PURE__ */ z._default(/* @__PURE__ */ z.int(), 0);
const flag = /* @__PURE__ */ z._default(/* @__PURE__ */ z.boolean(), false);
const maxUint64 = 0xffff_ffff_ffff_ffffn;
const uint64 = /* @__PURE__ */ z._default(
  /* @__PURE__ */ z.pipe(
    /* @__PURE__ */ z.union([
      /* @__PURE__ */ z.int().check(/* @__PURE__ */ z.gte(0)),
      /* @__PURE__ */ z.bigint().check(/* @__PURE__ */ z.gte(0n), /* @__PURE__ */ z.lte(maxUint64)),
    ]),
    /* @__PURE__ */ z.transform((value: number | bigint) => BigInt(value)),
  ),
  0n,
);
const idMap = /* @__PURE__ */ z.object({ container_id: integer, host_id: integer, size: integer });
const idMaps = /* @__PURE__ */ z._default(/* @__PURE__ */ z.array(idMap), []);

const mountPleaseObject = /* @__PURE__ */ z.object({
  source: text,
  destination: text,
  device: text,
  flags: integer,
  cleared_flags: integer,
  propagation_flags: /* @__PURE__ */ z._default(
    /* @__PURE__ */ z.array(/* @__PURE__ */ z.int()),
    [],
  ),
  data: text,
  relabel: text,
  rec_attr: /* @__PURE__ */ z.exactOptional(
    /* @__PURE__ */ z.object({
      Attr_set: uint64,
      Attr_clr: uint64,
      Propagation: uint64,
      Userns_fd: uint64,
    }),
  ),
  extensions: integer,
  id_mapping: /* @__PURE__ */ z.exactOptional(
    /* @__PURE__ */ z.object({
      recursive: flag,
      userns_path: text,
      uid_mappings: idMaps,
      gid_mappings: idMaps,
    }),
  ),
});

/**
 * The schema of {@link MountPleaseArg}: fills in what is missing, drops unknown members.
 * Null members and keys in another letter case are put right by `decodeMountPlease` before.
 */
export const mountPleaseSchema: z.ZodMiniType<MountPleaseArg> = mountPleaseObject;

/**
 * The raw argument text, members in runc's order.
 * Throws InvalidArgError for values that JSON cannot hold.
 */
export function encodeMountPlease(mount: MountPleaseArg, layout: MountLayout = 'runc-1.5'): string {
  const members = layout === 'runc-1.2' ? everyMember(mount) : setMembers(mount, layout);
  try {
    return stringifyExactJson(members);
  } catch (cause) {
    throw new InvalidArgError(
      'procMountPlease',
      'a member has no JSON form',
      'Give the types that MountPleaseArg names.',
      { cause },
    );
  }
}

/** Reads the raw argument of procMountPlease. Throws MalformedArgError. */
export function decodeMountPlease(raw: string): MountPleaseArg {
  const value = parseObjectArg('procMountPlease', raw);
  return checkArg('procMountPlease', nameNested(value), mountPleaseSchema);
}

function everyMember(mount: MountPleaseArg): JsonObject {
  return {
    source: mount.source,
    destination: mount.destination,
    device: mount.device,
    flags: mount.flags,
    cleared_flags: mount.cleared_flags,
    propagation_flags: mount.propagation_flags.length === 0 ? null : mount.propagation_flags,
    data: mount.data,
    relabel: mount.relabel,
    rec_attr: recAttrMembers(mount) ?? null,
    extensions: mount.extensions,
    id_mapping: idMappingMembers(mount, 'runc-1.2'),
  };
}

function setMembers(mount: MountPleaseArg, layout: MountLayout): JsonObject {
  return {
    source: mount.source,
    destination: mount.destination,
    device: mount.device,
    flags: mount.flags || undefined,
    cleared_flags: mount.cleared_flags || undefined,
    propagation_flags: nonEmpty(mount.propagation_flags),
    data: mount.data || undefined,
    relabel: layout === 'runc-1.5' ? undefined : mount.relabel || undefined,
    rec_attr: recAttrMembers(mount),
    extensions: mount.extensions || undefined,
    id_mapping: idMappingMembers(mount, layout),
  };
}

function recAttrMembers({ rec_attr }: MountPleaseArg): JsonObject | undefined {
  if (rec_attr === undefined) return undefined;
  const { Attr_set, Attr_clr, Propagation, Userns_fd } = rec_attr;
  return { Attr_set, Attr_clr, Propagation, Userns_fd };
}

function idMappingMembers(
  { id_mapping }: MountPleaseArg,
  layout: MountLayout,
): JsonObject | undefined {
  if (id_mapping === undefined) return undefined;
  const { recursive } = id_mapping;
  return {
    recursive: layout === 'runc-1.2' ? recursive : recursive || undefined,
    userns_path: id_mapping.userns_path || undefined,
    uid_mappings: nonEmpty(id_mapping.uid_mappings.map(idMapMembers)),
    gid_mappings: nonEmpty(id_mapping.gid_mappings.map(idMapMembers)),
  };
}

function idMapMembers({ container_id, host_id, size }: MountIdMap): JsonObject {
  return { container_id, host_id, size };
}

function nonEmpty<Item>(list: readonly Item[]): readonly Item[] | undefined {
  return list.length === 0 ? undefined : list;
}

const mountNames = [
  'source',
  'destination',
  'device',
  'flags',
  'cleared_flags',
  'propagation_flags',
  'data',
  'relabel',
  'rec_attr',
  'extensions',
  'id_mapping',
];
const recAttrNames = ['Attr_set', 'Attr_clr', 'Propagation', 'Userns_fd'];
const idMappingNames = ['recursive', 'userns_path', 'uid_mappings', 'gid_mappings'];
const idMapNames = ['container_id', 'host_id', 'size'];

function nameNested(value: JsonObject): JsonObject {
  const mount = nameMembers(value, mountNames);
  const recAttr = mount['rec_attr'];
  const idMapping = mount['id_mapping'];
  return {
    ...mount,
    ...(isJsonObject(recAttr) && { rec_attr: nameMembers(recAttr, recAttrNames) }),
    ...(isJsonObject(idMapping) && { id_mapping: nameIdMapping(idMapping) }),
  };
}

function nameIdMapping(value: JsonObject): JsonObject {
  const mapping = nameMembers(value, idMappingNames);
  return {
    ...mapping,
    uid_mappings: nameIdMaps(mapping['uid_mappings']),
    gid_mappings: nameIdMaps(mapping['gid_mappings']),
  };
}

function nameIdMaps(value: JsonValue | undefined): JsonValue | undefined {
  if (!Array.isArray(value)) return value;
  return (value as readonly JsonValue[]).map((item) =>
    isJsonObject(item) ? nameMembers(item, idMapNames) : item,
  );
}
