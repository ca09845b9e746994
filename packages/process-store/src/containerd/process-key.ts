import { INIT_PROCESS_ID } from './layout.ts';

/** The key in the store of a process of the layout. */
export function processKey(container: string, id: string): string {
  return id === INIT_PROCESS_ID ? container : `${container}/${id}`;
}
