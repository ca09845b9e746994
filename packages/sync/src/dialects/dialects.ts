import { embedshim } from './embedshim.ts';
import { runc001 } from './runc-0.0.1.ts';
import { runc12, runc120rc1 } from './runc-1.2.ts';
import { runc10, runc110, runc1113, runcConsole } from './runc-named.ts';
import { runc007, runc009, runc20161201 } from './runc-numbered.ts';

/** Every dialect by its name, oldest first. */
export type Dialects = {
  readonly 'runc-0.0.1': typeof runc001;
  readonly 'runc-0.0.7': typeof runc007;
  readonly 'runc-0.0.9': typeof runc009;
  readonly 'runc-2016-12-01': typeof runc20161201;
  readonly 'runc-console': typeof runcConsole;
  readonly 'runc-1.0': typeof runc10;
  readonly 'runc-1.1.0': typeof runc110;
  readonly 'runc-1.1.13': typeof runc1113;
  readonly 'runc-1.2.0-rc.1': typeof runc120rc1;
  readonly 'runc-1.2': typeof runc12;
  readonly embedshim: typeof embedshim;
};

/** The name of a dialect. */
export type DialectName = keyof Dialects;

/** Every dialect by its name, oldest first. Which one a peer speaks must be known beforehand. */
export const dialects: Dialects = Object.freeze({
  'runc-0.0.1': runc001,
  'runc-0.0.7': runc007,
  'runc-0.0.9': runc009,
  'runc-2016-12-01': runc20161201,
  'runc-console': runcConsole,
  'runc-1.0': runc10,
  'runc-1.1.0': runc110,
  'runc-1.1.13': runc1113,
  'runc-1.2.0-rc.1': runc120rc1,
  'runc-1.2': runc12,
  embedshim,
});

/** Whether a text is the name of a dialect. */
export function isDialectName(name: string): name is DialectName {
  return Object.hasOwn(dialects, name);
}
