import { z } from 'zod';
import { parseRecord } from '../record/parse-record.ts';
import { stringifyGoJson } from './go-json.ts';

/** `state.json` of a container. */
export interface ContainerState {
  /** Absolute directory. */
  bundle: string;
  labels: readonly string[] | null;
  /** Empty in the files of winter 2015/16; the processes have their own. */
  stdin: string;
  stdout: string;
  stderr: string;
}

const text = z.string().default('');

const schema: z.ZodType<ContainerState> = z.object({
  bundle: z.string().startsWith('/'),
  labels: z.array(z.string()).nullable().default(null),
  stdin: text,
  stdout: text,
  stderr: text,
});

/** Reads the text of `state.json`; `shown` is its path in messages. Throws BadRecordError. */
export function decodeContainerState(json: string, shown: string): ContainerState {
  return parseRecord(json, schema, shown);
}

/** The text of `state.json`, in containerd's order. */
export function encodeContainerState(state: ContainerState): string {
  const { bundle, labels, stdin, stdout, stderr } = state;
  return stringifyGoJson({
    bundle,
    labels: labels === null ? null : [...labels],
    stdin,
    stdout,
    stderr,
  });
}
