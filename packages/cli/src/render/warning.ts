import type { Host } from '../context.ts';
import { printable } from './printable.ts';

/** Tells of something that went wrong and changed nothing, such as a `poststop` hook that failed. */
export function writeWarning(host: Host, warning: Error): void {
  host.stderr.write(`pilotlight: warning: ${printable(warning.message)}\n`);
}
