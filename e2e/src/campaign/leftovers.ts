import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const GONE_MS = 30_000;

/** What is left of a store root: mounts, files, processes. Those that are on their way out get time. */
export async function leftovers(root: string): Promise<string[]> {
  const deadline = performance.now() + GONE_MS;
  for (;;) {
    const left = [...mounts(root), ...files(root), ...processes(root)];
    if (left.length === 0 || performance.now() > deadline) return left;
    await sleep(50);
  }
}

function mounts(root: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point === root || point.startsWith(`${root}/`))
    .map((point) => `left: the mount ${point}`);
}

function files(root: string): string[] {
  if (!existsSync(root)) return [];
  const names = readdirSync(root, { recursive: true }).map(String);
  return [`left: the root ${root}`, ...names.map((name) => `left: the file ${name}`)];
}

function processes(root: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => `${pid} ${commandLineOf(pid)}`)
    .filter((line) => line.includes(root))
    .map((line) => `left: the process ${line}`);
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
