import * as z from 'zod/mini';
import { InvalidArgError, MalformedArgError } from '../errors.ts';
import { excerpt } from '../excerpt.ts';
import { isJsonObject, nameMembers } from '../json/member-names.ts';
import type { SyncType } from '../sync-type.ts';
import { parseArg } from './decode-arg.ts';

/**
 * How the parent obtained the mount source that it sends.
 * - `plain-open`: an O_PATH descriptor opened inside the container's mount namespace
 *   (one of the parent's own namespace makes the child's bind mount fail with EINVAL)
 * - `open_tree`: a detached clone of the mount, which the child installs with move_mount(2)
 */
export type MountFdType = 'plain-open' | 'open_tree';

/** The argument of procMountFd; the descriptor itself comes in the file packet. */
export type MountFdArg = { readonly type: MountFdType };

const mountFdTypes: readonly [MountFdType, MountFdType] = ['plain-open', 'open_tree'];

/** The schema of {@link MountFdArg}. */
export const mountFdSchema: z.ZodMiniType<MountFdArg> = /* @__PURE__ */ z.object({
  type: /* @__PURE__ */ z.enum(mountFdTypes),
});

const type: SyncType = 'procMountFd';

/** The raw argument text. Throws InvalidArgError for an unknown way of opening. */
export function encodeMountFd(arg: MountFdArg): string {
  const opened: unknown = arg.type;
  if (!mountFdTypes.some((known) => known === opened)) {
    throw new InvalidArgError(
      type,
      `unknown type ${excerpt(String(opened))}`,
      `Use ${mountFdTypes.join(' or ')}.`,
    );
  }
  return `{"type":"${arg.type}"}`;
}

/**
 * Reads the raw argument of procMountFd. Throws MalformedArgError.
 * It is the one decoder that runs in the child, so it checks by hand and needs no schema library.
 */
export function decodeMountFd(raw: string): MountFdArg {
  const value = parseArg(type, raw);
  const opened = isJsonObject(value) ? nameMembers(value, ['type'])['type'] : undefined;
  const known = mountFdTypes.find((name) => name === opened);
  if (known !== undefined) return { type: known };
  throw new MalformedArgError({
    type,
    path: 'type',
    expected: mountFdTypes.map((name) => JSON.stringify(name)).join(' or '),
    received: excerpt(raw),
  });
}
