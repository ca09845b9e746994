import type { RestartPolicy } from '@pilotlight/process-store';
import { UsageError } from '../../errors.ts';

const HINT = 'Use no, on-failure, on-failure:N with the most restarts there may be, or always.';

/** The policy that a text means. Throws UsageError. */
export function parseRestart(text: string): RestartPolicy {
  const [name = '', ...rest] = text.split(':');
  if (rest.length === 0 && (name === 'no' || name === 'on-failure' || name === 'always')) {
    return { name };
  }
  if (name === 'on-failure' && rest.length === 1) {
    const maxRestarts = /^\d{1,9}$/.test(rest[0] ?? '') ? Number(rest[0]) : 0;
    if (maxRestarts > 0) return { name, maxRestarts };
    throw new UsageError(
      `run: --restart: ${JSON.stringify(rest[0])} is not a number of restarts`,
      HINT,
    );
  }
  throw new UsageError(`run: --restart: ${JSON.stringify(text)} is no restart policy`, HINT);
}
