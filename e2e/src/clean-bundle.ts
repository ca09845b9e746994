import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import {
  type Belongings,
  belongings,
  type BusyboxBundle,
  makeBundle,
  requireNothingLeft,
  runIn,
} from './init-bundle.ts';

export type CleanBundle = BusyboxBundle & {
  /** From here on only what comes new counts as left behind. */
  keepWhatIsThere(): void;
};

/**
 * A bundle for all tests of the group that calls this; its fields are set when the tests begin.
 * A test that leaves a descriptor, mount, cgroup or child behind fails.
 */
export function useCleanBundle(): CleanBundle {
  let before: Belongings;
  const bundle: CleanBundle = {
    path: '',
    rootfs: '',
    remove: () => undefined,
    keepWhatIsThere() {
      before = belongings();
    },
  };
  beforeAll(async () => {
    Object.assign(bundle, makeBundle());
    // Starts the zygote and whatever else lasts.
    await runIn(bundle, 'true');
  });
  afterAll(() => bundle.remove());
  beforeEach(() => bundle.keepWhatIsThere());
  afterEach(() => requireNothingLeft(before));
  return bundle;
}
