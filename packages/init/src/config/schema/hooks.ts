import { z } from 'zod';
import type { OciHooks } from '../spec/hooks.ts';
import { absolutePath, kernelString } from './primitives.ts';

/** The longest that the event loop's timers can wait, in seconds: some 24 days. */
const longestTimeoutS = 2_147_483;

const hookSchema = z.object({
  path: absolutePath,
  args: z.array(kernelString).nullish(),
  env: z
    .array(kernelString.refine((entry) => entry.indexOf('=') > 0, 'must have the form NAME=value'))
    .nullish(),
  timeout: z
    .int()
    .min(1, 'must be greater than zero')
    .max(longestTimeoutS, `must be at most ${longestTimeoutS} seconds`)
    .nullish(),
});

const hookList = z.array(hookSchema).nullish();

/** Kinds that the specification does not know are dropped, as every unknown property is. */
export const hooksSchema: z.ZodType<OciHooks> = z.object({
  prestart: hookList,
  createRuntime: hookList,
  createContainer: hookList,
  startContainer: hookList,
  poststart: hookList,
  poststop: hookList,
});
