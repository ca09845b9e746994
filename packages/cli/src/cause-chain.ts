/**
 * The error, its cause, the cause's cause; each once. The schema library's own error, last in some
 * chains, says at length what ours has said before it, and is left out.
 */
export function causeChain(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let one = error; one !== undefined && one !== null && !chain.includes(one);) {
    if (isSchemaError(one)) break;
    chain.push(one);
    one = one instanceof Error ? one.cause : undefined;
  }
  return chain;
}

const isSchemaError = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'issues' in error && Array.isArray(error.issues);
