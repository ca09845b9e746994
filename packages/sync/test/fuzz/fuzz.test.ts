import { expect, test } from 'vitest';
import { isSyncError } from '../../src/index.ts';
import { mutate, randomOf } from './mutate.ts';
import { fuzzTargets } from './targets.ts';

// The same inputs in every run. For a longer search with other inputs:
//   PILOTLIGHT_FUZZ_ITERATIONS=1000000 PILOTLIGHT_FUZZ_SEED=7 vitest run --project unit packages/sync/test/fuzz
const iterations = Number(process.env['PILOTLIGHT_FUZZ_ITERATIONS'] ?? 1500);
const seed = Number(process.env['PILOTLIGHT_FUZZ_SEED'] ?? 1);

test.each(fuzzTargets)(
  '$name throws nothing but errors of its own, whatever it is fed',
  ({ corpus, run }) => {
    const random = randomOf(seed);
    const counts = { accepted: 0, refused: 0 };
    for (let iteration = 0; iteration < iterations; iteration += 1) {
      const bytes = mutate(corpus, random);
      try {
        run(bytes, random);
        counts.accepted += 1;
      } catch (cause) {
        if (!isSyncError(cause)) {
          const input = JSON.stringify(new TextDecoder().decode(bytes));
          throw new Error(`iteration ${iteration} of seed ${seed}, input ${input}`, { cause });
        }
        counts.refused += 1;
      }
    }
    // Otherwise the inputs never got past the first check, and nothing was tested.
    expect(counts.accepted).toBeGreaterThan(0);
    expect(counts.refused).toBeGreaterThan(0);
  },
  Math.max(60_000, iterations * 10),
);

test.each(fuzzTargets)('$name accepts every sample it is fed from', ({ corpus, run }) => {
  for (const bytes of corpus) expect(() => run(bytes, randomOf(seed))).not.toThrow();
});
