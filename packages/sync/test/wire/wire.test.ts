import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  decodeMountFd,
  decodePacket,
  encodeInitError,
  encodeMountFd,
  encodeMountPlease,
  encodePacket,
  type MountPleaseArg,
  type SyncMessage,
} from '../../src/index.ts';

function captured(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`runc-1.2.0-rc.1/${name}`, import.meta.url)));
}

const whole: readonly [file: string, sizeBytes: number, message: SyncMessage][] = [
  ['proc-hooks.packet', 30, { type: 'procHooks', flags: 0 }],
  ['proc-hooks-done.packet', 34, { type: 'procHooksDone', flags: 0 }],
  ['proc-ready.packet', 30, { type: 'procReady', flags: 0 }],
  ['proc-run.packet', 28, { type: 'procRun', flags: 0 }],
  ['proc-mount-fd.packet', 60, { type: 'procMountFd', flags: 1, arg: '{"type":"plain-open"}' }],
];

test.each(whole)('decodePacket reads %s of runc 1.2.0-rc.1', (file, sizeBytes, message) => {
  const bytes = captured(file);
  expect(bytes.byteLength).toBe(sizeBytes);
  expect(decodePacket(bytes)).toEqual(message);
});

test.each(whole)('encodePacket writes %s byte for byte', (file, _sizeBytes, message) => {
  expect(encodePacket(message)).toEqual(captured(file));
});

test('decodeMountFd reads the argument that runc 1.2.0-rc.1 wrote', () => {
  const { arg } = decodePacket(captured('proc-mount-fd.packet'));
  expect(decodeMountFd(arg ?? '')).toEqual({ type: 'plain-open' });
  expect(encodeMountFd({ type: 'plain-open' })).toBe(arg);
});

test('encodeInitError begins procError as runc 1.2.0-rc.1 does', () => {
  const arg = encodeInitError({ message: 'exec: no such file' });
  const head = captured('proc-error.head');
  const packet = encodePacket({ type: 'procError', flags: 0, arg });
  expect(packet.subarray(0, head.byteLength)).toEqual(head);
});

test('encodeMountPlease in the layout of 1.2 begins procMountPlease as runc 1.2.0-rc.1 does', () => {
  const mount: MountPleaseArg = {
    source: '/src',
    destination: '/mnt',
    device: 'bind',
    flags: 20480,
    cleared_flags: 0,
    propagation_flags: [],
    data: '',
    relabel: '',
    extensions: 0,
  };
  const arg = encodeMountPlease(mount, 'runc-1.2');
  const head = captured('proc-mount-please.head');
  const packet = encodePacket({ type: 'procMountPlease', flags: 0, arg });
  expect(packet.subarray(0, head.byteLength)).toEqual(head);
});
