/** The two ends of the handshake: the runtime that launches, and the process that becomes the program. */
export type SyncEnd = 'parent' | 'child';

/** Whether a message carries an argument or a file: always, sometimes, or never. */
export type SyncPresence = 'mandatory' | 'optional' | 'forbidden';

/** The name of a message in the packet dialect, spelled as on the wire. */
export type SyncType =
  | 'procError'
  | 'procReady'
  | 'procRun'
  | 'procHooks'
  | 'procHooksDone'
  | 'procSeccomp'
  | 'procSeccompDone'
  | 'procMountPlease'
  | 'procMountFd';

/** What holds for every message of one type, whoever speaks. */
export type SyncTypeRule = {
  /** The only end that sends it. */
  readonly sender: SyncEnd;
  /** One line: what the sender says with it. */
  readonly meaning: string;
  /** The type the other end answers with; absent when nothing answers. */
  readonly reply?: SyncType;
  readonly arg: SyncPresence;
  readonly file: SyncPresence;
};

/**
 * The nine message types of the packet dialect and their rules.
 *
 *     child                                parent
 *     procError         ------------->     (nothing: the child exits)
 *     procMountPlease   ------------->
 *                       <-------------     procMountFd, and the file
 *     procHooks         ------------->
 *                       <-------------     procHooksDone
 *     procReady         ------------->
 *                       <-------------     procRun
 *     procSeccomp       ------------->
 *                       <-------------     procSeccompDone
 *
 * The keys are in the order of this table wherever the package lists types.
 * Source: libcontainer/sync.go, runc 1.2.0-rc.1 to 1.5.1.
 */
export const syncTypes: Readonly<Record<SyncType, SyncTypeRule>> = Object.freeze({
  procError: {
    sender: 'child',
    meaning: 'the set-up failed; the argument says why',
    arg: 'mandatory',
    file: 'forbidden',
  },
  procReady: {
    sender: 'child',
    meaning: 'everything that needs no parent is done',
    reply: 'procRun',
    arg: 'forbidden',
    file: 'forbidden',
  },
  procRun: {
    sender: 'parent',
    meaning: 'go on to the program',
    arg: 'forbidden',
    file: 'forbidden',
  },
  procHooks: {
    sender: 'child',
    meaning: 'the mounts are in place and the root is not yet switched: run the hooks',
    reply: 'procHooksDone',
    arg: 'forbidden',
    file: 'forbidden',
  },
  procHooksDone: {
    sender: 'parent',
    meaning: 'the hooks have run',
    arg: 'forbidden',
    file: 'forbidden',
  },
  procSeccomp: {
    sender: 'child',
    meaning: 'a seccomp notify descriptor exists in the child; the argument is its number there',
    reply: 'procSeccompDone',
    arg: 'mandatory',
    file: 'forbidden',
  },
  procSeccompDone: {
    sender: 'parent',
    meaning: 'the notify descriptor has been duplicated with pidfd_getfd',
    arg: 'forbidden',
    file: 'forbidden',
  },
  procMountPlease: {
    sender: 'child',
    meaning: 'open this mount source, which the child cannot open itself',
    reply: 'procMountFd',
    arg: 'mandatory',
    file: 'forbidden',
  },
  procMountFd: {
    sender: 'parent',
    meaning: 'here is the mount source; the argument says how it was opened',
    arg: 'mandatory',
    file: 'mandatory',
  },
} satisfies Record<SyncType, SyncTypeRule>);

/** Every type, in the order of {@link syncTypes}. */
export const syncTypeNames: readonly SyncType[] = Object.freeze(
  Object.keys(syncTypes) as SyncType[],
);

/** Whether a value is the exact spelling of one of the nine types; names are case-sensitive. */
export function isSyncType(value: unknown): value is SyncType {
  return typeof value === 'string' && Object.hasOwn(syncTypes, value);
}
