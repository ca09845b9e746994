import { createReadStream } from 'node:fs';
import { parseTranscript, renderTranscript } from '@pilotlight/sync/transcript';
import type { CliContext } from '../../context.ts';
import { FileError } from '../../errors.ts';

const widthOfNoTerminal = 100;
/** Far more than any handshake; a transcript is held in memory as a whole. */
const maxTranscriptBytes = 64 * 1024 * 1024;

/** Throws FileError, and MalformedTranscriptError of @pilotlight/sync. */
export async function syncDecode(this: CliContext, _flags: {}, path: string): Promise<void> {
  let text: string;
  try {
    text = await readAtMost(path, maxTranscriptBytes);
  } catch (cause) {
    throw new FileError('read the transcript', path, {
      hint: '`pilotlight run --transcript FILE` writes one.',
      cause,
    });
  }
  const width = Number(this.host.env['COLUMNS']) || widthOfNoTerminal;
  this.host.stdout.write(renderTranscript(parseTranscript(text), { width }));
}

/** A device or a pipe tells no size beforehand, and may never end. */
async function readAtMost(path: string, maxBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of createReadStream(path) as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
