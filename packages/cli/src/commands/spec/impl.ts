import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { stockSpec } from '@pilotlight/init';
import type { CliContext } from '../../context.ts';
import { ConfigExistsError, FileError } from '../../errors.ts';
import type { SpecFlags } from './command.ts';

/** Throws ConfigExistsError, FileError. */
export async function spec(this: CliContext, { bundle }: SpecFlags): Promise<void> {
  const path = resolve(this.host.cwd(), bundle ?? '.', 'config.json');
  const text = `${JSON.stringify(stockSpec(), undefined, '\t')}\n`;
  try {
    await writeFile(path, text, { flag: 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw new ConfigExistsError(path);
    throw new FileError('write', path, {
      hint: 'Name a directory that exists and that you may write to.',
      cause,
    });
  }
}
