import { existsSync } from 'node:fs';
import { canForkHere } from '@pilotlight/init';
import { openStore } from '@pilotlight/process-store';
import type { CliContext } from '../../context.ts';
import { UnreadableRecordsError } from '../../errors.ts';
import { renderJsonObject } from '../../render/json.ts';
import type { InfoFlags } from './command.ts';
import { renderInfo } from './render-info.ts';
import { storeReport } from './store-report.ts';

/** Prints what it could find out first. Throws UnreadableRecordsError, RootError. */
export async function info(this: CliContext, { format }: InfoFlags): Promise<void> {
  await using store = await openStore(this.root, { create: false });
  const exists = existsSync(store.root);
  const list = await store.list();
  const report = storeReport({
    exists,
    info: await store.info(),
    list,
    forksHere: canForkHere(),
  });
  this.host.stdout.write(format === 'json' ? renderJsonObject(report) : renderInfo(report));
  if (list.problems.length > 0) throw new UnreadableRecordsError(store.root, list.problems);
}
