import { formatRecordKey } from '../record/record-key.ts';
import { INIT_PROCESS_ID } from './layout.ts';

/** The key in the store of a process of the layout. */
export function processKey(container: string, id: string): string {
  return formatRecordKey({ container, exec: id === INIT_PROCESS_ID ? undefined : id });
}
