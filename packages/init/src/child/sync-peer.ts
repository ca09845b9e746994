import {
  decodePacket,
  encodePacket,
  type JsonValue,
  stringifyExactJson,
  type SyncType,
} from '@pilotlight/sync';
import type { Syscall } from '../syscall/syscall.ts';
import { SYNC_FD } from './child-fds.ts';

/** Says `type` and waits for `answer`: every message of a child but the last one is a question. */
export function ask(sys: Syscall, type: SyncType, answer: SyncType): void {
  sys.sendPacket(SYNC_FD, encodePacket({ type, flags: 0 }));
  const bytes = sys.receivePacket(SYNC_FD);
  if (bytes === undefined) {
    throw new Error(`the parent is gone: expected ${answer} in answer to ${type}, got end of file`);
  }
  const received = decodePacket(bytes);
  if (received.type !== answer) {
    throw new Error(`expected ${answer} in answer to ${type}, received ${received.type}`);
  }
}

/** Tells the parent why the child ends. */
export function sayError(sys: Syscall, failure: { [key: string]: JsonValue }): void {
  sys.sendPacket(
    SYNC_FD,
    encodePacket({ type: 'procError', flags: 0, arg: stringifyExactJson(failure) }),
  );
}
