import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type OciSpec, stockSpec } from '@pilotlight/init';

/** A bundle, and a sentence about where its root file system came from. */
export interface MadeBundle {
  path: string;
  origin: string;
}

/** Makes a bundle in `path` that runs a line of shell: busybox where a static one is, else the host's own shell. */
export function makeBundle(path: string, script: string): MadeBundle {
  const bin = join(path, 'rootfs', 'bin');
  mkdirSync(bin, { recursive: true });
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((file) => existsSync(file));
  const isStatic = busybox !== undefined && librariesOf(busybox).length === 0;
  if (isStatic) {
    copyFileSync(busybox, join(bin, 'busybox'));
    for (const applet of ['sh', 'sleep']) symlinkSync('busybox', join(bin, applet));
  } else {
    for (const program of ['sh', 'sleep']) copyProgram(program, join(path, 'rootfs'));
  }
  writeSpec(path, script, () => undefined);
  return {
    path,
    origin: isStatic
      ? `${busybox}, which is static`
      : "this machine's own sh and sleep with their libraries, for want of a static busybox",
  };
}

/** Writes the stock `config.json`, with no terminal and this line of shell, after `change`. */
export function writeSpec(path: string, script: string, change: (spec: OciSpec) => void): void {
  const spec = stockSpec();
  spec.process.terminal = false;
  spec.process.args = ['sh', '-c', script];
  change(spec);
  writeFileSync(join(path, 'config.json'), JSON.stringify(spec, undefined, 2));
}

function copyProgram(name: string, rootfs: string): void {
  const file = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
  copyInto(rootfs, file, join('/bin', name));
  for (const library of librariesOf(file)) copyInto(rootfs, library, library);
}

function copyInto(rootfs: string, from: string, to: string): void {
  const target = join(rootfs, to);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(realpathSync(from), target);
}

const PT_INTERP = 3;

/** What a program wants loaded; nothing if it is static, which is when it names no interpreter. elf(5), 64-bit. */
function librariesOf(file: string): string[] {
  const elf = readFileSync(file);
  const offset = Number(elf.readBigUInt64LE(32));
  const [size, count] = [elf.readUInt16LE(54), elf.readUInt16LE(56)];
  const headers = Array.from({ length: count }, (_, index) =>
    elf.readUInt32LE(offset + index * size),
  );
  if (!headers.includes(PT_INTERP)) return [];
  const listed = spawnSync('ldd', [file], { encoding: 'utf8' }).stdout;
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!);
}
