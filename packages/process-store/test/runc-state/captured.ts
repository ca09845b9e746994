import { readdirSync, readFileSync } from 'node:fs';
import type { OciSpec } from '@pilotlight/init';
import { parseExactJson } from '@pilotlight/sync';

/** What runc 1.1.5 wrote for one container; see the README beside the captures. */
export interface CapturedState {
  name: string;
  spec: OciSpec;
  /** The bytes of `state.json`. */
  text: string;
  /** What `runc state` printed. */
  printed: {
    ociVersion: string;
    id: string;
    pid: number;
    status: string;
    bundle: string;
    rootfs: string;
    created: string;
    annotations?: Record<string, string>;
  };
}

const folder = new URL('runc-1.1.5/', import.meta.url);

/** Reads one capture. */
export function capturedState(name: string): CapturedState {
  const read = (file: string): string => readFileSync(new URL(`${name}/${file}`, folder), 'utf8');
  return {
    name,
    spec: parseExactJson(read('config.json')) as unknown as OciSpec,
    text: read('state.bytes'),
    printed: JSON.parse(read('printed.json')) as CapturedState['printed'],
  };
}

/** All captures. */
export const capturedStates: readonly CapturedState[] = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => capturedState(name));
