/**
 * Waits for all of them, and throws the first failure only then: whoever hears of it cleans up, and what is
 * still under way would come after that. A late write of a pid would even move whoever gets that number next.
 */
export async function allDone(steps: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(steps);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
