import type { BlkioEntry, BlkioStats } from './stats-types.ts';
import type { CgroupReader } from './stats-reader.ts';

type Lists = Omit<BlkioStats, 'psi'>;

/** Which files of v1 have a list; the schedulers' own ones first, the throttling layer's for the rest. */
const v1Files: Readonly<Record<keyof Lists, readonly string[]>> = {
  ioServiceBytesRecursive: [
    'blkio.io_service_bytes_recursive',
    'blkio.bfq.io_service_bytes_recursive',
    'blkio.throttle.io_service_bytes_recursive',
    'blkio.throttle.io_service_bytes',
  ],
  ioServicedRecursive: [
    'blkio.io_serviced_recursive',
    'blkio.bfq.io_serviced_recursive',
    'blkio.throttle.io_serviced_recursive',
    'blkio.throttle.io_serviced',
  ],
  ioQueueRecursive: ['blkio.io_queued_recursive', 'blkio.bfq.io_queued_recursive'],
  ioServiceTimeRecursive: [
    'blkio.io_service_time_recursive',
    'blkio.bfq.io_service_time_recursive',
  ],
  ioWaitTimeRecursive: ['blkio.io_wait_time_recursive', 'blkio.bfq.io_wait_time_recursive'],
  ioMergedRecursive: ['blkio.io_merged_recursive', 'blkio.bfq.io_merged_recursive'],
  ioTimeRecursive: ['blkio.time_recursive', 'blkio.bfq.time_recursive'],
  sectorsRecursive: ['blkio.sectors_recursive', 'blkio.bfq.sectors_recursive'],
};

const emptyLists = (): Lists =>
  Object.fromEntries(Object.keys(v1Files).map((name) => [name, []])) as unknown as Lists;

/** `undefined` where blkio is not a v1 controller. */
export async function blkioStatsV1(reader: CgroupReader): Promise<Lists | undefined> {
  if (![...reader.files()].some((file) => file.startsWith('blkio.'))) return undefined;
  const lists = emptyLists();
  for (const [name, files] of Object.entries(v1Files)) {
    for (const file of files) {
      const text = await reader.text(file);
      const entries = entriesV1(text ?? '');
      // A scheduler that no device uses shows an empty list, and another one has the numbers.
      if (entries.length === 0) continue;
      lists[name as keyof Lists] = entries;
      break;
    }
  }
  return lists;
}

/** Lines `8:0 Read 4096`, or `8:0 12` without an operation; the sum over all devices is left out. */
function entriesV1(text: string): BlkioEntry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+)(?: ([A-Z]\w+))? (\d+)$/i.exec(line);
    if (match === null) return [];
    const [, major, minor, op = '', value] = match;
    return [{ major: Number(major), minor: Number(minor), op, value: BigInt(value!) }];
  });
}

const v2Keys: Readonly<Record<string, [list: keyof Lists, op: string]>> = {
  rbytes: ['ioServiceBytesRecursive', 'Read'],
  wbytes: ['ioServiceBytesRecursive', 'Write'],
  dbytes: ['ioServiceBytesRecursive', 'Discard'],
  rios: ['ioServicedRecursive', 'Read'],
  wios: ['ioServicedRecursive', 'Write'],
  dios: ['ioServicedRecursive', 'Discard'],
};

/** `undefined` where the io controller is not enabled. */
export async function blkioStatsV2(reader: CgroupReader): Promise<Lists | undefined> {
  const text = await reader.text('io.stat');
  if (text === undefined) return undefined;
  const lists = emptyLists();
  for (const line of text.split('\n')) {
    const [device = '', ...pairs] = line.split(' ');
    const number = /^(\d+):(\d+)$/.exec(device);
    if (number === null) continue;
    for (const pair of pairs) {
      const [key = '', value = ''] = pair.split('=');
      const place = v2Keys[key];
      if (place === undefined || !/^\d+$/.test(value)) continue;
      const [list, op] = place;
      lists[list].push({
        major: Number(number[1]),
        minor: Number(number[2]),
        op,
        value: BigInt(value),
      });
    }
  }
  return lists;
}
