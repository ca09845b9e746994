import { syscallError } from '@pilotlight/scm-rights';
import { decodeMountPlease, decodePacket, encodePacket, type SyncMessage } from '@pilotlight/sync';
import { describe, expect, it } from 'vitest';
import type { PlannedBind } from '../../config/init-config.ts';
import { AT_EMPTY_PATH, AT_RECURSIVE } from '../../syscall/constants.ts';
import { createRecordingSyscall, type RecordingSyscall } from '../../syscall/recording.ts';
import { openMountSource } from './mount-source.ts';

const SYNC = 7;
const EPERM = 1;
const ENOENT = 2;
const EACCES = 13;
const maps = [{ container_id: 0, host_id: 1000, size: 10 }];
const noChange = { set: 0, clear: 0 };

const bind: PlannedBind = {
  kind: 'bind',
  index: 0,
  destination: '/data',
  source: '/srv/data',
  recursive: true,
  attributes: noChange,
  recursiveAttributes: noChange,
  propagation: [],
};
const idMapped: PlannedBind = {
  ...bind,
  idMapping: { recursive: true, userns_path: '', uid_mappings: maps, gid_mappings: maps },
};

const answer = (arg: string): SyncMessage => ({ type: 'procMountFd', flags: 1, arg });
const openTree = answer('{"type":"open_tree"}');

function withAnswer(message: SyncMessage | undefined, name = '/srv/data'): RecordingSyscall {
  const packets = message === undefined ? [] : [encodePacket(message)];
  const sys = createRecordingSyscall({ packets });
  const receiveFile = sys.receiveFile.bind(sys);
  sys.receiveFile = (socket) => ({ ...receiveFile(socket), name });
  return sys;
}
const namesOf = (sys: RecordingSyscall): string[] => sys.calls.map(({ name }) => name);

describe('openMountSource', () => {
  it('openMountSource clones the source itself', () => {
    const sys = createRecordingSyscall();
    expect(openMountSource(sys, { sync: SYNC }, bind)).toMatchObject({ fromParent: false });
    expect(namesOf(sys)).toEqual(['openTree']);
    expect(sys.calls[0]?.args[1]).toBe('/srv/data');
    expect(Number(sys.calls[0]?.args[2]) & AT_RECURSIVE).toBe(AT_RECURSIVE);
  });

  it('openMountSource asks the parent for an id-mapped mount, and says what of', () => {
    const sys = withAnswer(openTree);
    expect(openMountSource(sys, { sync: SYNC }, idMapped)).toMatchObject({ fromParent: true });
    expect(namesOf(sys)).toEqual(['sendPacket', 'receivePacket', 'receiveFile']);
    expect(sys.calls.map(({ args }) => args[0])).toEqual([SYNC, SYNC, SYNC]);
    const question = decodePacket(sys.calls[0]?.args[1] as Uint8Array);
    expect(question).toMatchObject({ type: 'procMountPlease', flags: 0 });
    expect(decodeMountPlease(question.arg!)).toEqual({
      source: '/srv/data',
      destination: '/data',
      device: 'bind',
      flags: 0x5000,
      cleared_flags: 0,
      propagation_flags: [],
      data: '',
      relabel: '',
      extensions: 0,
      id_mapping: idMapped.idMapping,
    });
  });

  it.each([EPERM, EACCES])('openMountSource asks the parent after errno %i', (errno) => {
    const sys = withAnswer(openTree);
    sys.openTree = (_, path) => {
      throw syscallError(errno, 'open_tree', path);
    };
    expect(openMountSource(sys, { sync: SYNC }, bind)).toMatchObject({ fromParent: true });
    const { arg } = decodePacket(sys.calls[0]?.args[1] as Uint8Array);
    expect(decodeMountPlease(arg!)).not.toHaveProperty('id_mapping');
  });

  it('openMountSource does not ask for what is not there', () => {
    const sys = withAnswer(openTree);
    sys.openTree = (_, path) => {
      throw syscallError(ENOENT, 'open_tree', path);
    };
    expect(() => openMountSource(sys, { sync: SYNC }, bind)).toThrow(/ENOENT/);
    expect(sys.calls).toEqual([]);
  });

  it('openMountSource clones what the parent only opened', () => {
    const sys = withAnswer(answer('{"type":"plain-open"}'));
    openMountSource(sys, { sync: SYNC }, idMapped);
    expect(namesOf(sys).slice(-2)).toEqual(['openTree', 'close']);
    const [fd, path, flags] = sys.calls.at(-2)!.args;
    expect([fd, path]).toEqual([sys.calls.at(-1)?.args[0], '']);
    expect(Number(flags) & AT_EMPTY_PATH).toBe(AT_EMPTY_PATH);
  });

  it.each<[what: string, message: SyncMessage | undefined, name: string, reason: RegExp]>([
    ['end of file', undefined, '', /the parent is gone/],
    ['another message', { type: 'procRun', flags: 0 }, '', /received procRun/],
    ['the source of another mount', openTree, '/etc', /asked for \/srv\/data, received "\/etc"/],
    ['an empty name', openTree, '', /asked for \/srv\/data, received ""/],
    ['an unknown way of opening', answer('{"type":"other"}'), '/srv/data', /procMountFd/],
  ])('openMountSource refuses %s', (_, message, name, reason) => {
    const sys = withAnswer(message, name);
    expect(() => openMountSource(sys, { sync: SYNC }, idMapped)).toThrow(reason);
  });
});
