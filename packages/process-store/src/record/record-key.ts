import { parseRecordId } from './record-id.ts';

/**
 * Names one record: `box` is the container of that id, which is its init process; `box/e1` is the process `e1` that was
 * executed in it.
 */
export interface RecordKey {
  /** Id of the container. */
  container: string;
  /** Id of the executed process; undefined for the container's own. */
  exec: string | undefined;
}

/** The key in its text form. Throws InvalidIdError for a part that is no id. */
export function parseRecordKey(key: unknown): RecordKey {
  if (typeof key !== 'string') return { container: parseRecordId(key), exec: undefined };
  const slash = key.indexOf('/');
  if (slash === -1) return { container: parseRecordId(key), exec: undefined };
  return {
    container: parseRecordId(key.slice(0, slash)),
    exec: parseRecordId(key.slice(slash + 1)),
  };
}

/** The text form of a key. */
export function formatRecordKey({ container, exec }: RecordKey): string {
  return exec === undefined ? container : `${container}/${exec}`;
}
