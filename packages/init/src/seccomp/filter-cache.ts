import type { FilterProfile } from './plan-profile.ts';

/**
 * Compiled filters by the content of their profiles, in memory; the one unused for longest goes
 * first. A process has one libseccomp, so its version needs no place in the key.
 */
export class FilterCache {
  readonly #filters = new Map<string, string>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#filters.size;
  }

  /** What `compile` returned for an equal profile, or returns now. What it throws is not kept. */
  get(profile: FilterProfile, compile: () => string): string {
    const key = contentOf(profile);
    const filter = this.#filters.get(key) ?? compile();
    // In the order of use.
    this.#filters.delete(key);
    this.#filters.set(key, filter);
    if (this.#filters.size > this.#max) {
      const [oldest] = this.#filters.keys();
      this.#filters.delete(oldest!);
    }
    return filter;
  }
}

/** The whole profile as text: no digest, which two profiles could share. */
const contentOf = (profile: FilterProfile): string =>
  JSON.stringify(profile, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
