import { honoured, rows, type SpecField } from './spec-field.ts';

const hooks = honoured('src/plan/hooks.ts', 'e2e/src/init-hooks.test.ts');

/** Kinds of hooks, in the order in which they run, and the release that brought each. */
const hookKinds = {
  '1.0.0': ['prestart', 'poststart', 'poststop'],
  '1.0.2': ['createRuntime', 'createContainer', 'startContainer'],
} as const;

/** `hooks`: programs at fixed points of the container's life. */
export const hookFields = (): SpecField[] =>
  Object.entries(hookKinds).flatMap(([since, kinds]) =>
    rows(hooks, {
      [since]: kinds.flatMap((kind) =>
        ['path', 'args', 'env', 'timeout'].map((name) => `hooks.${kind}[].${name}`),
      ),
    }),
  );
