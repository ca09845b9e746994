import { UsageError } from '../../errors.ts';

/** The number of a signal. Throws UsageError. */
export async function parseSignal(text: string): Promise<number> {
  const { signalNumber } = await import('@pilotlight/scm-rights');
  try {
    return signalNumber(text);
  } catch {
    throw new UsageError(
      `kill: unknown signal ${JSON.stringify(text)}`,
      'Name one such as TERM or SIGKILL, or give its number, 1 to 64; see signal(7).',
    );
  }
}
