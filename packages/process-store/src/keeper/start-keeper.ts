import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { koffiModulePath, type OwnedFd } from '@pilotlight/scm-rights';
import { MonitorError } from '../errors.ts';
import { fromWireError } from '../monitor/wire/wire-error.ts';
import { nodeFlags, nodePath, programEnvironment, programFile, strayFds } from './program.ts';
import type { PairSettings } from './settings.ts';
import { type StartReport, startReportSchema } from './start-report.ts';

/**
 * Starts the keeper of a root, which starts its monitor; resolves when that listens.
 *
 * `lock` is keeper.lock, held: the keeper inherits it, so there is no moment at which nobody has it. Stays the caller's.
 * It runs in a session of its own with nothing of this process. Throws MonitorError.
 */
export async function startKeeper(
  lock: OwnedFd,
  { root, idleMs }: Pick<PairSettings, 'root' | 'idleMs'>,
): Promise<void> {
  const settings: PairSettings = {
    root,
    idleMs,
    strayFds: strayFds(),
    koffiModule: koffiModulePath(),
  };
  const child = spawn(nodePath(), [...nodeFlags, programFile('keeper'), JSON.stringify(settings)], {
    argv0: 'pilotlight-keeper',
    env: programEnvironment(),
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', lock.fd, 'pipe'],
  });
  child.unref();
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  child.once('error', (cause) => reject(new MonitorError(root, 'it cannot be started', cause)));
  const text = await Promise.race([readAll(child.stdio[4] as Readable), failed]);
  const report = parseReport(text);
  if (report === undefined) {
    throw new MonitorError(root, 'its keeper ended before it was ready');
  }
  if (!report.ready) {
    const cause = await fromWireError(report.error);
    throw new MonitorError(root, `it cannot work: ${cause.message}`, cause);
  }
}

function parseReport(text: string): StartReport | undefined {
  try {
    return startReportSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function readAll(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
