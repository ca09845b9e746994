import type { PoststopOptions } from '@pilotlight/init';
import { here } from '../supervision/here.ts';
import type { LockedView } from './view-record.ts';

/** Runs the `poststop` hooks of a recorded process whose cgroup is gone. Without any, nothing is loaded. */
export async function runPoststop({ facts }: LockedView, options: PoststopOptions): Promise<void> {
  const { id, bundle, spec } = facts.spec;
  // After a restart what they would undo is gone as well.
  if (!hasPoststop(spec) || facts.proc.bootId !== here().bootId) return;
  const { runPoststopHooks, validateSpec } = await import('@pilotlight/init');
  const { onWarning, signal } = options;
  await runPoststopHooks(
    validateSpec(spec),
    { id, bundle },
    {
      ...(onWarning === undefined ? {} : { onWarning }),
      ...(signal === undefined ? {} : { signal }),
    },
  );
}

function hasPoststop({ hooks }: Record<string, unknown>): boolean {
  if (typeof hooks !== 'object' || hooks === null || !('poststop' in hooks)) return false;
  return Array.isArray(hooks.poststop) && hooks.poststop.length > 0;
}
