import { readFile } from 'node:fs/promises';
import { parseTranscript, renderTranscript } from '@pilotlight/sync/transcript';
import type { CliContext } from '../../context.ts';
import { FileError } from '../../errors.ts';

const widthOfNoTerminal = 100;

/** Throws FileError, and MalformedTranscriptError of @pilotlight/sync. */
export async function syncDecode(this: CliContext, _flags: {}, path: string): Promise<void> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new FileError('read the transcript', path, {
      hint: '`pilotlight run --transcript FILE` writes one.',
      cause,
    });
  }
  const width = Number(this.host.env['COLUMNS']) || widthOfNoTerminal;
  this.host.stdout.write(renderTranscript(parseTranscript(text), { width }));
}
