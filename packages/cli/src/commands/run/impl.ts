import { resolve } from 'node:path';
import { canForkHere, localZygote, sharedZygote, type Zygote } from '@pilotlight/init';
import { openStore } from '@pilotlight/process-store';
import type { CliContext } from '../../context.ts';
import { writeWarning } from '../../render/warning.ts';
import type { RunFlags } from './command.ts';
import { runDetached } from './run-detached.ts';
import { runForeground } from './run-foreground.ts';
import { hasUserNamespace, requirePrivilege } from './require-privilege.ts';
import { requireTerminalPlace } from './require-terminal-place.ts';
import { type Subject, subjectOf } from './subject.ts';

/**
 * In the foreground, the exit code becomes the program's. Throws UsageError, PrivilegeError, TerminalError, FileError,
 * InterruptedError, and what `ProcessStore.launch` throws.
 */
export async function run(
  this: CliContext,
  flags: RunFlags,
  id: string | undefined,
): Promise<void> {
  const subject = await subjectOf(this, flags, id);
  requireTerminalPlace(this.host, flags, subject.spec.process.terminal ?? false);
  requirePrivilege(this.host.uid, subject.spec);
  await using store = await openStore(this.root, { create: false });
  // In tier C the monitor launches, with a zygote of its own.
  const zygote = (await store.tier()) === 'C' ? undefined : await zygoteFor(subject);
  const onWarning = (warning: Error): void => writeWarning(this.host, warning);
  const request = {
    ...subject,
    onWarning,
    ...(zygote === undefined ? {} : { zygote }),
    ...(id === undefined ? {} : { id }),
  };
  try {
    if (flags.detach) await runDetached(store, request, flags);
    else this.process.exitCode = await runForeground(store, request, flags, this.host);
  } finally {
    await zygote?.close();
  }
}

/** This very process forks if it may; otherwise a process made for it does. */
async function zygoteFor(subject: Subject): Promise<Zygote> {
  return canForkHere() && !canImageReachBinary(subject) ? localZygote() : sharedZygote();
}

/**
 * Whether a program of the image's own could have Node's binary run inside, and then overwrite it
 * (CVE-2019-5736): as root, without a user namespace, and not on the host's own root, whose programs are
 * the caller's choice. Only a zygote process runs from a clone of the binary that nobody can write.
 */
function canImageReachBinary({ spec, bundle }: Subject): boolean {
  return !hasUserNamespace(spec) && resolve(bundle, spec.root.path) !== '/';
}
