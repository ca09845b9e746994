/**
 * What monitor and keeper say on the socket pair between them; packets of one JSON object each.
 *
 *     keeper                     monitor
 *     hold {name} + fd …                              what the monitor before this one held
 *     begin                      ready | unfit        it listens, or why it cannot
 *                                hold {name} + fd     one more to keep
 *     held {name}                                     it is kept
 *                                release {name}
 *                                leave                it ends, and the keeper with it
 */
import { z } from 'zod';
import { type WireError, wireErrorSchema } from './wire-error.ts';

const name = z.string().min(1).max(1200);

export type KeeperMessage =
  | { type: 'hold'; name: string }
  | { type: 'begin'; keeperPid: number }
  | { type: 'held'; name: string };

export const keeperMessageSchema: z.ZodType<KeeperMessage> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hold'), name }),
  z.object({ type: z.literal('begin'), keeperPid: z.int().min(1) }),
  z.object({ type: z.literal('held'), name }),
]);

export type MonitorReport =
  | { type: 'ready' }
  | { type: 'unfit'; error: WireError }
  | { type: 'hold'; name: string }
  | { type: 'release'; name: string }
  | { type: 'leave'; tidy: boolean };

export const monitorReportSchema: z.ZodType<MonitorReport> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('unfit'), error: wireErrorSchema }),
  z.object({ type: z.literal('hold'), name }),
  z.object({ type: z.literal('release'), name }),
  z.object({ type: z.literal('leave'), tidy: z.boolean() }),
]);
