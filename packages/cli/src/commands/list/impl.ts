import { userInfo } from 'node:os';
import { openStore } from '@pilotlight/process-store';
import type { CliContext } from '../../context.ts';
import { UnreadableRecordsError } from '../../errors.ts';
import { renderJsonList } from '../../render/json.ts';
import { type OciState, ociState } from '../../render/oci-state.ts';
import { renderTable } from '../../render/table.ts';
import type { ListFlags } from './command.ts';

const HEADER = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'];

/** Prints what can be read first. Throws UnreadableRecordsError, RootError. */
export async function list(this: CliContext, { format, quiet }: ListFlags): Promise<void> {
  await using store = await openStore(this.root, { create: false });
  const { processes, problems } = await store.list();
  const states = processes.map((process) => ociState(process, ownerName()));
  this.host.stdout.write(
    quiet ? idLines(states) : format === 'json' ? renderJsonList(states) : table(states),
  );
  if (problems.length > 0) throw new UnreadableRecordsError(store.root, problems);
}

const idLines = (states: readonly OciState[]): string => states.map(({ id }) => `${id}\n`).join('');

function table(states: readonly OciState[]): string {
  const rows = states.map(({ id, pid, status, bundle, created, owner }) => [
    id,
    String(pid),
    status,
    bundle,
    created,
    owner,
  ]);
  return renderTable([HEADER, ...rows]);
}

/** A store is its user's alone, so its records are as well. A user without a name is `#1000`, as with runc. */
function ownerName(): string {
  const uid = process.geteuid?.() ?? 0;
  try {
    return userInfo().username;
  } catch {
    return `#${uid}`;
  }
}
