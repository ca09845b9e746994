import { InvalidMessageError, MalformedObjectError, TruncatedObjectError } from '../errors.ts';
import { excerpt } from '../excerpt.ts';
import { foldKey } from '../json/fold-key.ts';
import { rawMembers } from '../json/raw-members.ts';
import { parseRuncVersion, precedes } from '../runc-version.ts';
import { JsonStreamDecoder } from '../stream/json-stream-decoder.ts';

/** What the first stages of the child answer to the bootstrap message: who its later stages are. */
export type ChildAnswer = {
  /** Stage 1, which the parent reaps; absent in 1.0.0-rc4 and older. */
  readonly stage1Pid?: number;
  /** Stage 2, which becomes the program. Both pids are as the parent counts. */
  readonly stage2Pid: number;
};

/** An answer that is whole. */
export type ReadChildAnswer = ChildAnswer & {
  /** Whether one zero byte stood before it, as from 1.0.0-rc94 to 1.2.0-rc.3. */
  readonly zeroByte: boolean;
  /**
   * What was read behind it: the sync messages of a dialect over streams begin there. Give it to
   * `createStreamChannel` as `alreadyRead`. It may begin with the newline of the answer.
   */
  readonly rest: Uint8Array;
};

/**
 * The byte that the parent writes behind the answer when a new cgroup namespace is wanted; stage 2
 * waits for it. runc 1.0.0-rc6 to 1.0.3 only.
 */
export const cgroupNamespaceGo = 0x80;

/**
 * Reads the answer of any release: at most one zero byte, then one object with either pair of keys.
 * It has nothing of the release in it, so one reader serves all.
 */
export class ChildAnswerReader {
  readonly #decoder = new JsonStreamDecoder({ maxObjectBytes: maxAnswerBytes });
  #zeroByte = false;
  #begun = false;

  /**
   * Takes the next bytes; gives the answer once it is whole, and must not be called after that.
   * Throws MalformedObjectError for what is no answer, ObjectTooLargeError beyond 4096 bytes.
   */
  push(bytes: Uint8Array): ReadChildAnswer | undefined {
    let unread = bytes;
    if (!this.#begun && unread.length > 0) {
      this.#begun = true;
      this.#zeroByte = unread[0] === 0;
      if (this.#zeroByte) unread = unread.subarray(1);
    }
    const { object, consumed } = this.#decoder.pushOne(unread);
    if (object === undefined) return undefined;
    const answer = decodeAnswer(object);
    return { ...answer, zeroByte: this.#zeroByte, rest: unread.slice(consumed) };
  }

  /** Says that the stream ended before the answer: throws TruncatedObjectError. */
  end(): never {
    this.#decoder.end();
    throw new TruncatedObjectError(
      'read the pids of the child: the stream ended before them; its first stages died, and the reason is on the log pipe or on stderr',
      0,
    );
  }
}

const maxAnswerBytes = 4096;
const maxPid = 0x7fff_ffff;

function decodeAnswer(object: string): ChildAnswer {
  const members = new Map(rawMembers(object).map(({ key, raw }) => [foldKey(key), raw]));
  const stage2 = members.get('stage2_pid') ?? members.get('pid');
  const stage1 = members.has('stage2_pid') ? members.get('stage1_pid') : members.get('pid_first');
  const stage2Pid = pidOf(stage2);
  const stage1Pid = pidOf(stage1);
  if (stage2Pid === undefined || (stage1 !== undefined && stage1Pid === undefined)) {
    throw new MalformedObjectError(
      `read the pids of the child: it answered ${excerpt(object)}, which has no pid of stage 2 or a wrong one of stage 1`,
    );
  }
  return stage1Pid === undefined ? { stage2Pid } : { stage1Pid, stage2Pid };
}

function pidOf(raw: string | undefined): number | undefined {
  if (raw === undefined || !/^\d{1,10}$/.test(raw)) return undefined;
  const pid = Number(raw);
  return pid >= 1 && pid <= maxPid ? pid : undefined;
}

/**
 * The bytes with which the child of a release answers the bootstrap message, the zero byte
 * included where that release sends one (it does so before it reads the message).
 * Throws InvalidMessageError for a version that is no release of runc, for a number that is no pid,
 * and for a stage 1 that is missing where the release names it, or named where it has none.
 */
export function encodeChildAnswer(answer: ChildAnswer, runcVersion: string): Uint8Array {
  const version = parseRuncVersion(runcVersion);
  if (version === undefined) {
    throw new InvalidMessageError(
      `encode the pids of the child: ${excerpt(runcVersion)} is no release of runc`,
      'Give a version such as 1.1.5.',
    );
  }
  const before = (bound: string): boolean => {
    const parsed = parseRuncVersion(bound);
    return parsed !== undefined && precedes(version, parsed);
  };
  const { stage1Pid, stage2Pid } = answer;
  const named = !before('1.0.0-rc5');
  if (
    pidOf(String(stage2Pid)) === undefined ||
    named !== (pidOf(String(stage1Pid)) !== undefined)
  ) {
    throw new InvalidMessageError(
      `encode the pids of the child: stage 1 is ${stage1Pid} and stage 2 is ${stage2Pid}`,
      `Give stage 2 a pid, and stage 1 ${named ? 'too' : 'none: this release has none'}.`,
    );
  }
  let text: string;
  if (before('1.0.0-rc2')) text = `{ "pid" : ${stage2Pid} }\n`;
  else if (before('1.0.0-rc5')) text = `{"pid": ${stage2Pid}}\n`;
  else if (before('1.0.0-rc94')) text = `{"pid": ${stage2Pid}, "pid_first": ${stage1Pid}}\n`;
  else text = `{"stage1_pid":${stage1Pid},"stage2_pid":${stage2Pid}}\n`;
  const zeroByte = !before('1.0.0-rc94') && before('1.2.0-rc.4') ? '\0' : '';
  return new TextEncoder().encode(zeroByte + text);
}
