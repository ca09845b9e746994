/** Begins to write a file of a record and never ends: node hung-writer.ts FOLDER */
import { setInterval } from 'node:timers';
import { openDirectory } from '../../src/disk/open-directory.ts';
import { writeTemporary } from '../../src/disk/temporary-file.ts';

const directory = await openDirectory(process.argv[2] ?? '');
const written = await writeTemporary(directory, 'exit.json', 'text');
process.stdout.write(written.path);
setInterval(() => undefined, 1000);
