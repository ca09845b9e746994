import type { PlannedHook } from '../plan/hooks.ts';

/** How much of what a hook printed is kept for the error, in bytes from its end. */
export const keptOutputBytes = 4096;

/** How a hook ended that did not fail to start. */
export type HookEnd =
  | { kind: 'exited'; code: number }
  | { kind: 'signaled'; signal: string | number }
  | { kind: 'timedOut'; timeoutMs: number };

/** What was being done, for the message of an error. */
export const hookAttempt = ({ kind, index, path }: PlannedHook): string =>
  `run hooks.${kind}[${index}] ${path}`;

/** Why the hook counts as failed, with the last of what it printed; `undefined` where it succeeded. */
export function hookFailure(end: HookEnd, output: Uint8Array): string | undefined {
  if (end.kind === 'exited' && end.code === 0) return undefined;
  const said = printable(output);
  return `${reasonOf(end)}${said === '' ? '' : `, and said: ${said}`}`;
}

/** What to do about it. */
export function hookHint(end: HookEnd): string {
  return end.kind === 'timedOut'
    ? 'Raise the timeout of the hook if it only needs time; without one the timeoutMs of the launch applies.'
    : 'The hook decides whether the container may run; what it printed says why it did not agree.';
}

/** Appends to what is kept of a hook's output. */
export function keepEnd(kept: Uint8Array, more: Uint8Array): Uint8Array {
  const all = new Uint8Array(kept.length + more.length);
  all.set(kept);
  all.set(more, kept.length);
  return all.length > keptOutputBytes ? all.slice(all.length - keptOutputBytes) : all;
}

function reasonOf(end: HookEnd): string {
  switch (end.kind) {
    case 'exited':
      return `it exited with ${end.code}`;
    case 'signaled':
      return `it was killed by signal ${end.signal}`;
    case 'timedOut':
      return `it ran past its timeout of ${end.timeoutMs / 1000} s and was killed`;
  }
}

/** A hook may be a program of the container: what it prints must not steer the terminal that shows it. */
const printable = (output: Uint8Array): string =>
  new TextDecoder()
    .decode(output)
    .trim()
    .replaceAll(/(?![\n\t])\p{Cc}/gu, '\uFFFD');
