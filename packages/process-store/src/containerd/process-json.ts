import type { OciProcess } from '@pilotlight/init';
import type { JsonValue } from '@pilotlight/sync';
import { z } from 'zod';
import { parseRecord } from '../record/parse-record.ts';
import { stringifyGoJson } from './go-json.ts';

/** Paths of fifos that the client has made, or of other files. */
export interface StdioPaths {
  stdin: string;
  stdout: string;
  stderr: string;
}

/** `process.json`: the OCI process, flat, and beside it what containerd's shim had to know. */
export interface ProcessSpec {
  /** Of the runtime specification; what is newer than the file's format is kept in it as well. */
  process: OciProcess;
  /** False for `init`. */
  exec: boolean;
  /** The checkpoint it was restored from; empty for none. */
  checkpoint: string;
  /** Host id of the container's user 0; 0 without a user namespace. */
  rootUid: number;
  rootGid: number;
  stdio: StdioPaths;
}

/** What an empty path of a standard stream means. */
export const NULL_DEVICE = '/dev/null';

const id = z.int().min(0).max(0xffff_ffff);
const path = z
  .string()
  .default('')
  .transform((value) => (value === '' ? NULL_DEVICE : value));

const own = {
  exec: z.boolean().default(false),
  checkpoint: z.string().default(''),
  rootUID: id.default(0),
  rootGID: id.default(0),
  containerdStdin: path,
  containerdStdout: path,
  containerdStderr: path,
};

/** Loose: what else the specification says of a process passes through as it is. */
const schema = z
  .looseObject({
    terminal: z.boolean().default(false),
    user: z
      .looseObject({
        uid: id.default(0),
        gid: id.default(0),
        additionalGids: z.array(id).nullish(),
      })
      .default({ uid: 0, gid: 0 }),
    args: z
      .array(z.string())
      .nullable()
      .transform((args) => args ?? []),
    env: z.array(z.string()).nullish(),
    cwd: z.string(),
    ...own,
  })
  .transform(
    ({
      exec,
      checkpoint,
      rootUID,
      rootGID,
      containerdStdin,
      containerdStdout,
      containerdStderr,
      ...process
    }): ProcessSpec => ({
      process: process as OciProcess,
      exec,
      checkpoint,
      rootUid: rootUID,
      rootGid: rootGID,
      stdio: { stdin: containerdStdin, stdout: containerdStdout, stderr: containerdStderr },
    }),
  );

/** Reads the text of `process.json`; `shown` is its path in messages. Throws BadRecordError. */
export function decodeProcessSpec(json: string, shown: string): ProcessSpec {
  return parseRecord(json, schema as z.ZodType<ProcessSpec>, shown);
}

/**
 * The text of `process.json`, in containerd's order: terminal, user, args, env, cwd, what is newer of the specification, then
 * its own keys. Standard streams have names of their own because the keys of both share one level.
 */
export function encodeProcessSpec(spec: ProcessSpec): string {
  const { terminal = false, user = {}, args, env, cwd, ...newer } = spec.process;
  const { uid = 0, gid = 0, additionalGids, ...rest } = user;
  return stringifyGoJson({
    terminal,
    user: { uid, gid, ...unlessEmpty('additionalGids', additionalGids), ...defined(rest) },
    args: args.length === 0 ? null : [...args],
    ...unlessEmpty('env', env),
    cwd,
    ...defined(newer),
    exec: spec.exec,
    checkpoint: spec.checkpoint,
    rootUID: spec.rootUid,
    rootGID: spec.rootGid,
    containerdStdin: spec.stdio.stdin,
    containerdStdout: spec.stdio.stdout,
    containerdStderr: spec.stdio.stderr,
  });
}

function unlessEmpty(
  name: string,
  list: readonly JsonValue[] | null | undefined,
): Record<string, JsonValue> {
  return list === null || list === undefined || list.length === 0 ? {} : { [name]: [...list] };
}

function defined(record: object): Record<string, JsonValue> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
