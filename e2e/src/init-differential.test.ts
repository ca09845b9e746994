// Generated configurations under runc, under crun and under ours: what the program sees must be the same.
import * as fc from 'fast-check';
import { deepStrictEqual } from 'node:assert/strict';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Choice, choices, specOf, undrawn, understands } from './differential/arbitraries.ts';
import { differences, isRefusal, normalise, withoutDeliberate } from './differential/normalise.ts';
import { crun, hasCrun, ours, type Runtime, runc } from './differential/references.ts';
import { type Belongings, belongings, missing, newId, requireNothingLeft } from './init-bundle.ts';

/** How many configurations: a few in CI, some hundreds by hand. */
const runs = Number(process.env['PILOTLIGHT_DIFFERENTIAL_RUNS'] ?? 40);
/** The same seed draws the same configurations again. */
const seed = Number(process.env['PILOTLIGHT_DIFFERENTIAL_SEED'] ?? Date.now() % 2 ** 31);

const lacking = missing('root', 'busybox-static', 'runc');
const withoutCrun = hasCrun() ? '' : ', without crun, which is not here';

describe.skipIf(lacking !== '')(`launch of generated configurations${lacking}`, () => {
  let own: Runtime;
  let references: Runtime[];
  let before: Belongings;
  /** How often a program ran under ours and under a reference. */
  let compared = 0;

  beforeAll(async () => {
    own = ours();
    references = hasCrun() ? [runc(), crun()] : [runc()];
    // Starts the zygote.
    await own.run(specOf({}, { unique: newId() }));
  });
  afterAll(() => {
    for (const { bundle } of [own, ...references]) bundle.remove();
  });
  beforeEach(() => {
    before = belongings();
  });
  afterEach(async () => {
    await requireNothingLeft(before);
    deepStrictEqual(
      references.flatMap((reference) => reference.leftovers()),
      [],
    );
  });

  it(
    `launch shows the program what the reference shows it; seed ${seed}${withoutCrun}`,
    async () => {
      await fc.assert(
        fc.asyncProperty(choices(), async (choice) => {
          const found = await compare(choice);
          requireNone(choice, found);
        }),
        { numRuns: runs, seed },
      );
      // Where no program runs, every configuration looks the same.
      expect(compared).toBeGreaterThan(runs / 2);
    },
    runs * 6000,
  );

  it('choices draws everything that is honoured, and nothing that is refused', () => {
    const [sample] = fc.sample(fc.array(choices(), { minLength: 200, maxLength: 200 }), {
      numRuns: 1,
      seed,
    });
    const drawn = new Set(sample!.flatMap((choice) => Object.keys(choice)));
    expect(drawn.size).toBeGreaterThan(15);
    expect(undrawn().filter((name) => drawn.has(name))).toEqual([]);
  });

  /** By reference: sections that differ. */
  async function compare(choice: Choice): Promise<Record<string, Record<string, string[]>>> {
    const spec = specOf(choice, { unique: newId() });
    const asked = references.filter(({ name }) => understands(name, choice));
    const outcome = await own.run(spec);
    const found: Record<string, Record<string, string[]>> = {};
    for (const reference of asked) {
      const theirs = await reference.run(spec);
      if (isRefusal(reference.name, theirs)) continue;
      if (outcome.seen !== undefined && theirs.seen !== undefined) compared++;
      const differing = differences(
        withoutDeliberate(normalise(outcome, own), reference.name, spec),
        withoutDeliberate(normalise(theirs, reference), reference.name, spec),
      );
      if (Object.keys(differing).length === 0) continue;
      found[reference.name] = differing;
      const said = [outcome.said, theirs.said].filter((text) => text !== '');
      if (said.length > 0) found[reference.name]!['said'] = said;
    }
    return found;
  }

  function requireNone(choice: Choice, found: Record<string, Record<string, string[]>>): void {
    if (Object.keys(found).length === 0) return;
    const lines = Object.entries(found).flatMap(([name, sections]) => [
      `beside ${name}:`,
      ...Object.entries(sections).flatMap(([section, differing]) => [
        `  ${section}`,
        ...differing.map((line) => `    ${line}`),
      ]),
    ]);
    throw new Error(`with ${inspect(choice, { depth: 8 })}\n${lines.join('\n')}`);
  }
});
