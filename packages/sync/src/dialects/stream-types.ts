import type { DialectTypeRule } from './dialect.ts';
import type { StreamType } from './stream-message.ts';

const rules: Readonly<Record<StreamType, DialectTypeRule>> = {
  procError: { sender: 'child', meaning: 'the set-up failed; the error object says why' },
  procReady: {
    sender: 'child',
    meaning: 'everything that needs no parent is done',
    reply: 'procRun',
  },
  procRun: { sender: 'parent', meaning: 'go on to the program' },
  procStart: { sender: 'child', meaning: 'the init function returned without executing anything' },
  procHooks: {
    sender: 'child',
    meaning: 'the mounts are in place and the root is not yet switched: run the hooks',
    reply: 'procResume',
  },
  procResume: { sender: 'parent', meaning: 'the hooks have run' },
  procConsole: {
    sender: 'child',
    meaning: 'the child has made a terminal and wants to send its master',
    reply: 'procConsoleReq',
  },
  procConsoleReq: { sender: 'parent', meaning: 'send the master now' },
  procConsoleAck: { sender: 'parent', meaning: 'the master has been received' },
  procSeccomp: {
    sender: 'child',
    meaning: 'a seccomp notify descriptor exists in the child; fd is its number there',
    reply: 'procSeccompDone',
  },
  procSeccompDone: {
    sender: 'parent',
    meaning: 'the notify descriptor has been duplicated with pidfd_getfd',
  },
};

/** The rules of some types, in the order given. */
export function streamTypes<Type extends StreamType>(
  types: readonly Type[],
): Readonly<Record<Type, DialectTypeRule>> {
  return Object.freeze(
    Object.fromEntries(types.map((type) => [type, rules[type]])) as Record<Type, DialectTypeRule>,
  );
}

/** The rules of some types, with the number that stands for each on the wire. */
export function numberedTypes<Type extends StreamType>(
  codes: Readonly<Record<Type, number>>,
): Readonly<Record<Type, DialectTypeRule>> {
  const entries = Object.entries<number>(codes).map(([type, code]) => [
    type,
    { ...rules[type as Type], code },
  ]);
  return Object.freeze(Object.fromEntries(entries) as Record<Type, DialectTypeRule>);
}
