import type { Observation } from '../supervision/observe.ts';
import type { RecordFacts } from './read-facts.ts';

/**
 * `created`: waits at the gate, the program was not executed. `running`: may run. `zombie`: has ended, its parent has not
 * waited for it yet, so its status cannot be read. `stopped`: has ended; the exit record tells how, or that nobody knows.
 * `unknown`: cannot be seen from the namespaces of this process.
 */
export type ProcessState = 'created' | 'running' | 'zombie' | 'stopped' | 'unknown';

/**
 * The state that follows from which files exist and what the kernel says; nothing else is kept anywhere.
 *
 * `seen` is undefined for a record that has its exit, where the kernel is not asked any more. For records with `proc.json`.
 */
export function deriveState(
  facts: Pick<RecordFacts, 'released' | 'exit'>,
  seen: Observation['kind'] | undefined,
): ProcessState {
  if (facts.exit !== undefined) return 'stopped';
  switch (seen) {
    case 'alive':
      return facts.released ? 'running' : 'created';
    case 'zombie':
      return 'zombie';
    case 'ended':
    case 'lost':
      return 'stopped';
    case 'hidden':
    case undefined:
      return 'unknown';
  }
}
