import {
  decodePacket,
  encodePacket,
  type JsonValue,
  stringifyExactJson,
  type SyncType,
} from '@pilotlight/sync';
import type { Syscall } from '../syscall/syscall.ts';

/** Says `type` and waits for `answer`: every message of a child but the last one is a question. */
export function ask(sys: Syscall, sync: number, type: SyncType, answer: SyncType): void {
  sys.sendPacket(sync, encodePacket({ type, flags: 0 }));
  awaitAnswer(sys, sync, type, answer);
}

/** Waits for `answer` to a question that was asked. */
export function awaitAnswer(sys: Syscall, sync: number, type: SyncType, answer: SyncType): void {
  const bytes = sys.receivePacket(sync);
  if (bytes === undefined) {
    throw new Error(`the parent is gone: expected ${answer} in answer to ${type}, got end of file`);
  }
  const received = decodePacket(bytes);
  if (received.type !== answer) {
    throw new Error(`expected ${answer} in answer to ${type}, received ${received.type}`);
  }
}

/** Tells the parent why the child ends. */
export function sayError(sys: Syscall, sync: number, failure: { [key: string]: JsonValue }): void {
  sys.sendPacket(
    sync,
    encodePacket({ type: 'procError', flags: 0, arg: stringifyExactJson(failure) }),
  );
}
