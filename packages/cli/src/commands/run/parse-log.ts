import { join } from 'node:path';
import { parseLogOptions, type StoredLog } from '@pilotlight/process-store';
import type { Host } from '../../context.ts';
import { UsageError } from '../../errors.ts';

/** What a default depends on. */
export interface LogSubject {
  id: string;
  host: Pick<Host, 'env' | 'uid'>;
}

/** The log that a driver and its options mean. Throws UsageError, LogOptionError. */
export function parseLog(driver: string, texts: readonly string[], subject: LogSubject): StoredLog {
  const path = driver === 'cri' ? defaultLogPath(subject) : undefined;
  return parseLogOptions(driver, pairs(texts), path);
}

/**
 * Root's logs are the machine's, another user's are state of that user's: the XDG Base Directory Specification, which ignores
 * a path that is not absolute. Undefined if nobody says where that is.
 */
export function defaultLogPath({ id, host: { env, uid } }: LogSubject): string | undefined {
  if (uid === 0) return `/var/log/pilotlight/${id}.log`;
  const state = env['XDG_STATE_HOME'];
  if (state?.startsWith('/') === true) return join(state, 'pilotlight', `${id}.log`);
  const home = env['HOME'];
  return home?.startsWith('/') === true
    ? join(home, '.local', 'state', 'pilotlight', `${id}.log`)
    : undefined;
}

function pairs(texts: readonly string[]): Record<string, string> {
  const options = new Map<string, string>();
  for (const text of texts) {
    const [, key, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    if (key === undefined || value === undefined) {
      throw new UsageError(
        `run: --log-opt: ${JSON.stringify(text)} is not of the form KEY=VALUE`,
        'Write, for example, --log-opt max-size=10m.',
      );
    }
    if (options.has(key)) {
      throw new UsageError(`run: --log-opt: ${key} is given twice`, 'Leave one of them away.');
    }
    options.set(key, value);
  }
  return Object.fromEntries(options);
}
