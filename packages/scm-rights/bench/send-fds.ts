// Compares passing descriptors here with Python's socket.send_fds, and with the usocket package where it builds.
//
// The work, the same for all: messages of 300 bytes with one descriptor each, which the receiver closes.
//   messages/s    one process, both ends of a connection, ten messages under way at a time
//   round trip    two processes: a message with a descriptor there, another one back; the median
//
// Every contender is a program of its own, run in turn, once in each round: what disturbs the machine disturbs all of them.
// Arguments: rounds (7), messages (10000), round trips (3000).
// BENCH_USOCKET names the directory of usocket, BENCH_USOCKET_NODE the Node it was built for.
import { execFile } from 'node:child_process';
import { arch, cpus, release } from 'node:os';
import { promisify } from 'node:util';

interface Contender {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

interface Result {
  messagesPerSecond: number;
  roundTripUs: number;
}

const BURST = 10;
const SIZE = 300;
const BASELINE = "Python's socket.send_fds";

const [rounds = 7, messages = 10_000, roundTrips = 3_000] = process.argv.slice(2).map(Number);
const run = promisify(execFile);

const contenders: readonly Contender[] = [
  { name: BASELINE, command: 'python3', args: [file('python.py')] },
  ours('scm-rights, blocking calls', 'blocking'),
  ours('scm-rights, SeqpacketSocket', 'seqpacket'),
  ours('scm-rights, UnixStream', 'stream'),
  {
    name: 'usocket',
    command: process.env['BENCH_USOCKET_NODE'] ?? process.execPath,
    args: [file('usocket.cjs'), 'usocket'],
  },
];

const results = new Map<string, Result[]>();
for (let round = 0; round < rounds; round += 1) {
  for (const contender of contenders) {
    // Known to be missing since the first round.
    if (round > 0 && !results.has(contender.name)) continue;
    const result = await measure(contender);
    if (result === undefined) continue;
    results.set(contender.name, [...(results.get(contender.name) ?? []), result]);
  }
}
print();

function ours(name: string, kind: string): Contender {
  const args = ['--conditions=@pilotlight/source', file('scm-rights.ts'), kind];
  return { name, command: process.execPath, args };
}

function file(name: string): string {
  return new URL(`contenders/${name}`, import.meta.url).pathname;
}

async function measure({ name, command, args }: Contender): Promise<Result | undefined> {
  const work = [messages, roundTrips, BURST, SIZE].map(String);
  try {
    const { stdout } = await run(command, [...args, ...work], { timeout: 120_000 });
    return JSON.parse(stdout) as Result;
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const reason = stderr.split('\n').findLast((line) => /error|not found/i.test(line)) ?? message;
    process.stdout.write(`skipped: ${name}: ${reason.trim().slice(0, 200)}\n`);
    return undefined;
  }
}

function print(): void {
  const processors = cpus();
  process.stdout.write(
    `Node ${process.version}, Linux ${release()} ${arch()}, ${processors.length} × ${processors[0]?.model.trim()}\n` +
      `${rounds} rounds of ${messages} messages and ${roundTrips} round trips; medians (lowest to highest)\n\n`,
  );
  const baseline = results.get(BASELINE);
  row(['', 'messages/s', 'ratio', 'round trip µs', 'ratio']);
  for (const [name, list] of results) {
    const rates = list.map(({ messagesPerSecond }) => messagesPerSecond / 1000);
    const trips = list.map(({ roundTripUs }) => roundTripUs);
    const ratio = (pick: (result: Result) => number): string =>
      baseline === undefined
        ? '-'
        : (median(list.map(pick)) / median(baseline.map(pick))).toFixed(2);
    row([
      name,
      `${spread(rates)} k`,
      ratio(({ messagesPerSecond }) => messagesPerSecond),
      spread(trips),
      ratio(({ roundTripUs }) => roundTripUs),
    ]);
  }
}

function row(cells: readonly string[]): void {
  const widths = [29, 24, 6, 24, 6];
  const padded = cells.map((cell, index) => {
    const width = widths[index] ?? 0;
    return index === 0 ? cell.padEnd(width) : cell.padStart(width);
  });
  process.stdout.write(`${padded.join(' ')}\n`);
}

function spread(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(1)} (${low.toFixed(0)} to ${high.toFixed(0)})`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
