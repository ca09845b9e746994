import type { OciSpec } from '@pilotlight/init';
import { RuncStateError } from '../errors.ts';

/** What a configuration of runc can say and ours translates, or what it does not keep: how the first program is run. */
const translated = {
  process: new Set([
    'terminal',
    'consoleSize',
    'user',
    'args',
    'env',
    'cwd',
    'capabilities',
    'rlimits',
    'noNewPrivileges',
    'oomScoreAdj',
  ]),
  linux: new Set([
    'namespaces',
    'cgroupsPath',
    'resources',
    'maskedPaths',
    'readonlyPaths',
    'rootfsPropagation',
    'devices',
  ]),
  resources: new Set(['devices']),
  mount: new Set(['destination', 'type', 'source', 'options']),
  namespace: new Set(['type']),
};

/**
 * Throws for a setting that the state would have to leave out: runc would then run commands in the container, or clean up
 * after it, under other rules than ours.
 *
 * Throws RuncStateError naming the first such field.
 */
export function refuseUntranslated(id: string, spec: OciSpec): void {
  const { linux } = spec;
  const field =
    strangerIn('process.', spec.process, translated.process) ??
    strangerIn('linux.', linux, translated.linux) ??
    strangerIn('linux.resources.', linux?.resources, translated.resources) ??
    strangerIn('hooks.', spec.hooks, new Set()) ??
    // Annotations become labels beside that of the bundle: runc would take one for the other.
    (Object.hasOwn(spec.annotations ?? {}, 'bundle') ? 'annotations.bundle' : undefined) ??
    strangerAmong('mounts', spec.mounts, translated.mount) ??
    strangerAmong('linux.namespaces', linux?.namespaces, translated.namespace);
  if (field === undefined) return;
  throw new RuncStateError(id, `${field} cannot be told to runc by this version`, {
    hint: `Launch without ${field}, or manage ${id} without runc.`,
  });
}

function strangerAmong(
  prefix: string,
  items: readonly object[] | null | undefined,
  known: ReadonlySet<string>,
): string | undefined {
  for (const [index, item] of (items ?? []).entries()) {
    const field = strangerIn(`${prefix}[${index}].`, item, known);
    if (field !== undefined) return field;
  }
  return undefined;
}

function strangerIn(
  prefix: string,
  object: object | null | undefined,
  known: ReadonlySet<string>,
): string | undefined {
  const stranger = Object.entries(object ?? {}).find(
    ([name, value]) => isSet(value) && !known.has(name),
  );
  return stranger === undefined ? undefined : prefix + stranger[0];
}

/** Whether it says anything: neither absent nor empty. */
function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
