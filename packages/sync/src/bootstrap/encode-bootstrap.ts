import { InvalidBootstrapError } from '../errors.ts';
import { excerpt } from '../excerpt.ts';
import {
  bootstrapLayouts,
  type BootstrapAttribute,
  type BootstrapLayout,
  type BootstrapLayoutName,
} from './bootstrap-layout.ts';
import {
  namespaceTypes,
  type BootstrapMessage,
  type IdMapping,
  type NamespacePath,
  type TimeOffset,
} from './bootstrap-message.ts';

/** The netlink type of the bootstrap message, 62000. */
export const bootstrapType = 62_000;

/** The netlink flags of the bootstrap message, NLM_F_REQUEST. */
export const bootstrapFlags = 1;

/**
 * The longest text of an attribute, 65530 bytes: with its header and its zero byte the length
 * still fits 16 bits. Up to runc 1.0.2 a longer one wrapped around and let its rest pass for
 * further attributes.
 */
export const maxAttributeBytes = 65_530;

/**
 * The bytes of the bootstrap message, to be written with one call: the reader takes a short read
 * for the end.
 *
 *     offset  size
 *     0       4     length, with these 16 bytes
 *     4       2     type 62000
 *     6       2     flags 1
 *     8       4     sequence number; 1, which every reader ignores
 *     12      4     pid 0
 *     16            attributes: length (16 bits, with its 4 bytes of header, without padding),
 *                   type (16 bits), payload, zero bytes up to a multiple of 4
 *
 * All numbers are little-endian, as on every machine that Node runs on.
 * Throws InvalidBootstrapError for a member that the release does not know, for a value out of
 * range, a text beyond {@link maxAttributeBytes} or with a zero byte in it, and a namespace path
 * with a comma.
 */
export function encodeBootstrap(
  message: BootstrapMessage,
  layoutName: BootstrapLayoutName,
): Uint8Array {
  const layout = bootstrapLayouts[layoutName];
  requireKnown(message, layout);
  const attributes: Uint8Array[] = [];
  for (const [attribute, number] of Object.entries(layout.numbers)) {
    const bytes = payloadOf(attribute as BootstrapAttribute, message, layout);
    if (bytes !== undefined) {
      attributes.push(attributeBytes(number, bytes, attribute as BootstrapAttribute, layout));
    }
  }
  const length = attributes.reduce((sum, { length: size }) => sum + size, headerBytes);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, bootstrapType, true);
  view.setUint16(6, bootstrapFlags, true);
  view.setUint32(8, 1, true);
  let at = headerBytes;
  for (const attribute of attributes) {
    bytes.set(attribute, at);
    at += attribute.length;
  }
  return bytes;
}

const headerBytes = 16;

function requireKnown(message: BootstrapMessage, layout: BootstrapLayout): void {
  for (const [member, value] of Object.entries(message)) {
    if (value !== undefined && !Object.hasOwn(layout.numbers, member)) {
      throw new InvalidBootstrapError(
        member,
        `${layout.spokenBy} has no such attribute and would end the launch`,
        'Leave the member out, or name the release that the child is of.',
      );
    }
  }
}

function attributeBytes(
  number: number,
  payload: Uint8Array,
  attribute: BootstrapAttribute,
  layout: BootstrapLayout,
): Uint8Array {
  const length = 4 + payload.length;
  // The one-byte truth values of old releases stand without padding.
  const padded = isTruth(attribute) && layout.truthBytes === 1 ? length : (length + 3) & ~3;
  const bytes = new Uint8Array(padded);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, length, true);
  view.setUint16(2, number, true);
  bytes.set(payload, 4);
  return bytes;
}

function isTruth(attribute: BootstrapAttribute): boolean {
  return attribute === 'setgroups' || attribute === 'rootlessEuid';
}

function payloadOf(
  attribute: BootstrapAttribute,
  message: BootstrapMessage,
  layout: BootstrapLayout,
): Uint8Array | undefined {
  switch (attribute) {
    case 'cloneFlags':
      return uint32('cloneFlags', message.cloneFlags ?? 0, 0xffff_ffff);
    case 'pid':
      if (message.pid === undefined) {
        throw new InvalidBootstrapError(
          'pid',
          'it is missing, and this release joins by it alone',
          'Give the pid of the process to join.',
        );
      }
      return uint32('pid', message.pid, 0x7fff_ffff);
    case 'setgroups':
      return message.setgroups === true ? truth(true, layout) : undefined;
    case 'rootlessEuid':
      return truth(message.rootlessEuid === true, layout);
    case 'nsPaths':
      return nsPathsText(message.nsPaths ?? [], layout);
    case 'uidMappings':
    case 'gidMappings':
      return idMapText(attribute, message[attribute] ?? []);
    case 'oomScoreAdj':
      return oomScoreText(message.oomScoreAdj);
    case 'mountSources':
      return mountSourcesText(message.mountSources);
    case 'timeOffsets':
      return timeOffsetsText(message.timeOffsets ?? []);
    case 'consolePath':
    case 'uidMapPath':
    case 'gidMapPath': {
      const path = message[attribute];
      return path === undefined ? undefined : pathText(attribute, path);
    }
  }
}

function uint32(member: BootstrapAttribute, value: number, max: number): Uint8Array {
  requireInteger(member, value, 0, max);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function truth(value: boolean, { truthBytes }: BootstrapLayout): Uint8Array {
  const bytes = new Uint8Array(truthBytes);
  bytes[0] = Number(value);
  return bytes;
}

function text(member: BootstrapAttribute, value: string): Uint8Array {
  if (!value.isWellFormed()) {
    throw new InvalidBootstrapError(
      member,
      `${excerpt(value)} holds a lone surrogate, which has no UTF-8 form`,
      'Give well-formed text.',
    );
  }
  const bytes = new TextEncoder().encode(`${value}\0`);
  if (bytes.length - 1 > maxAttributeBytes) {
    throw new InvalidBootstrapError(
      member,
      `it has ${bytes.length - 1} bytes; an attribute holds ${maxAttributeBytes}`,
      'Shorten it: the length of an attribute has 16 bits.',
    );
  }
  return bytes;
}

function pathText(member: BootstrapAttribute, path: string): Uint8Array {
  requirePath(member, path);
  return text(member, path);
}

function requirePath(member: BootstrapAttribute, path: string): void {
  if (path !== '' && !path.includes('\0')) return;
  throw new InvalidBootstrapError(
    member,
    `${excerpt(path)} is not a path`,
    'Give a path that is not empty and has no zero byte.',
  );
}

function nsPathsText(
  paths: readonly NamespacePath[],
  { namesNamespaces }: BootstrapLayout,
): Uint8Array | undefined {
  if (paths.length === 0) return undefined;
  const seen = new Set<string>();
  for (const { type, path } of paths) {
    requirePath('nsPaths', path);
    if (path.includes(',')) {
      throw new InvalidBootstrapError(
        'nsPaths',
        `${excerpt(path)} holds a comma, which separates the paths`,
        'Give another path to the same namespace, for example below /proc.',
      );
    }
    if ((type !== undefined) !== namesNamespaces || (type && !namespaceTypes.includes(type))) {
      throw new InvalidBootstrapError(
        'nsPaths',
        `the type of ${excerpt(path)} is ${type ?? 'missing'}`,
        namesNamespaces
          ? `Use one of ${namespaceTypes.join(', ')}.`
          : 'Leave the type out: this release writes bare paths, in the order they are joined.',
      );
    }
    if (type !== undefined && seen.has(type)) {
      throw new InvalidBootstrapError(
        'nsPaths',
        `there are two of type ${type}`,
        'Join one namespace of each kind.',
      );
    }
    if (type !== undefined) seen.add(type);
  }
  if (!namesNamespaces) return text('nsPaths', paths.map(({ path }) => path).join(','));
  const ordered = namespaceTypes.flatMap((kind) => paths.filter(({ type }) => type === kind));
  return text('nsPaths', ordered.map(({ type, path }) => `${type}:${path}`).join(','));
}

function idMapText(
  member: 'uidMappings' | 'gidMappings',
  maps: readonly IdMapping[],
): Uint8Array | undefined {
  if (maps.length === 0) return undefined;
  const lines = maps.map(({ containerId, hostId, size }) => {
    for (const part of [containerId, hostId, size]) requireInteger(member, part, 0, 0xffff_ffff);
    return `${containerId} ${hostId} ${size}\n`;
  });
  return text(member, lines.join(''));
}

function oomScoreText(score: number | undefined): Uint8Array | undefined {
  if (score === undefined) return undefined;
  requireInteger('oomScoreAdj', score, -1000, 1000);
  return text('oomScoreAdj', String(score));
}

function mountSourcesText(sources: readonly string[] | undefined): Uint8Array | undefined {
  if (sources === undefined) return undefined;
  for (const source of sources) {
    if (source !== '') requirePath('mountSources', source);
  }
  return text('mountSources', sources.map((source) => `${source}\0`).join(''));
}

function timeOffsetsText(offsets: readonly TimeOffset[]): Uint8Array | undefined {
  if (offsets.length === 0) return undefined;
  const lines = offsets.map(({ clock, secs, nanosecs }) => {
    requireInteger('timeOffsets', nanosecs, 0, 999_999_999);
    if (typeof secs === 'number' && !Number.isSafeInteger(secs)) {
      throw new InvalidBootstrapError(
        'timeOffsets',
        `${secs} seconds are not an exact integer`,
        'Give a bigint.',
      );
    }
    if (BigInt.asIntN(64, BigInt(secs)) !== BigInt(secs)) {
      throw new InvalidBootstrapError(
        'timeOffsets',
        `${secs} seconds do not fit 64 bits`,
        'Give a smaller offset.',
      );
    }
    return `${clock} ${BigInt(secs)} ${nanosecs}\n`;
  });
  return text('timeOffsets', lines.join(''));
}

function requireInteger(member: BootstrapAttribute, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max && !Object.is(value, -0)) return;
  throw new InvalidBootstrapError(
    member,
    `${value} is not an integer from ${min} to ${max}`,
    'Give a number in range.',
  );
}
