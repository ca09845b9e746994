/** `Did you mean a or b? `, and nothing if there is nothing similar. */
export function didYouMean(corrections: readonly string[]): string {
  return corrections.length === 0 ? '' : `Did you mean ${corrections.join(' or ')}? `;
}
