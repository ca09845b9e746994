import * as z from 'zod/mini';
import { maxFlags } from './sync-flags.ts';
import { syncTypeNames, type SyncType } from './sync-type.ts';

/**
 * One message of the packet dialect.
 *
 * `arg` is the raw JSON text of the argument exactly as it stood in the packet, without the
 * whitespace around it; it stays text until the code that knows its type decodes it (see `args/`),
 * so nothing is lost on the way. It is absent when the message carries no argument.
 */
export type SyncMessage = {
  readonly type: SyncType;
  /** A bit set, 0 to 2^31 - 1; see `syncFlags`. */
  readonly flags: number;
  readonly arg?: string;
};

/**
 * Checks the shape of a message that came from outside TypeScript, for example a recording.
 * That `arg` is JSON, and allowed for the type, is checked by `encodePacket`.
 */
export const syncMessageSchema: z.ZodMiniType<SyncMessage> = /* @__PURE__ */ z.strictObject({
  type: /* @__PURE__ */ z.enum(syncTypeNames as [SyncType, ...SyncType[]]),
  flags: /* @__PURE__ */ z.int().check(/* @__PURE__ */ z.gte(0), /* @__PURE__ */ z.lte(maxFlags)),
  arg: /* @__PURE__ */ z.exactOptional(/* @__PURE__ */ z.string()),
});
