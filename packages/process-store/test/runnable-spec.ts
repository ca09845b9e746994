import { hostRootSpec, type OciSpec } from '@pilotlight/init';
import { specOf } from './spec-of.ts';

/** A specification that also a real launcher runs, as root: on the host's own root, in namespaces of its own. */
export function runnableSpec(...args: string[]): OciSpec {
  const spec = hostRootSpec({ args });
  return { ...spec, process: { ...spec.process, ...specOf(...args).process } };
}
