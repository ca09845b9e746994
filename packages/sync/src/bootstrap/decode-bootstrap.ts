import { MalformedBootstrapError } from '../errors.ts';
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
  type NamespaceType,
  type TimeOffset,
} from './bootstrap-message.ts';
import { bootstrapFlags, bootstrapType } from './encode-bootstrap.ts';

/** A bootstrap message and the bytes that stood behind it. */
export type DecodedBootstrap = {
  readonly message: BootstrapMessage;
  /** How many bytes the message took; what follows is the config. */
  readonly consumed: number;
};

/**
 * How many bytes the bootstrap message at the start of `bytes` has, or undefined when fewer than
 * its 4 bytes of length have arrived. Throws MalformedBootstrapError for a length below 16.
 */
export function bootstrapLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < 4) return undefined;
  const length = viewOf(bytes).getUint32(0, true);
  if (length >= headerBytes) return length;
  throw new MalformedBootstrapError(`its length is ${length}, and its header has 16 bytes`, 0);
}

/**
 * Reads the bootstrap message at the start of the bytes, as a release of runc wrote it.
 * Throws MalformedBootstrapError for what is cut short or of another layout: an attribute that the
 * release does not know, one that comes twice, a payload that is not of its type.
 */
export function decodeBootstrap(
  bytes: Uint8Array,
  layoutName: BootstrapLayoutName,
): DecodedBootstrap {
  const layout = bootstrapLayouts[layoutName];
  const end = bootstrapLength(bytes);
  if (end === undefined || end > bytes.length) {
    throw new MalformedBootstrapError(
      `it is cut short: ${bytes.length} of ${end ?? 'at least 16'} bytes`,
      bytes.length,
    );
  }
  const view = viewOf(bytes);
  const type = view.getUint16(4, true);
  const flags = view.getUint16(6, true);
  if (type !== bootstrapType || flags !== bootstrapFlags) {
    throw new MalformedBootstrapError(
      `its type is ${type} and its flags are ${flags}, not ${bootstrapType} and ${bootstrapFlags}`,
      4,
    );
  }
  const members = new Map<BootstrapAttribute, unknown>();
  let at = headerBytes;
  while (at < end) at = readAttribute(bytes, at, end, layout, members);
  return { message: Object.fromEntries(members) as BootstrapMessage, consumed: end };
}

const headerBytes = 16;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readAttribute(
  bytes: Uint8Array,
  at: number,
  end: number,
  layout: BootstrapLayout,
  members: Map<BootstrapAttribute, unknown>,
): number {
  const view = viewOf(bytes);
  const length = end - at < 4 ? 0 : view.getUint16(at, true);
  if (length < 4 || length > end - at) {
    throw new MalformedBootstrapError(
      `an attribute of ${length} bytes where ${end - at} are left`,
      at,
    );
  }
  const number = view.getUint16(at + 2, true);
  const name = Object.entries(layout.numbers).find(([, known]) => known === number)?.[0];
  if (name === undefined) {
    throw new MalformedBootstrapError(`${layout.spokenBy} has no attribute ${number}`, at);
  }
  const attribute = name as BootstrapAttribute;
  if (members.has(attribute)) {
    throw new MalformedBootstrapError(`the attribute ${number} (${name}) comes twice`, at);
  }
  const payload = bytes.subarray(at + 4, at + length);
  members.set(attribute, readPayload({ attribute, payload, at, layout }));
  const unpadded = isTruth(attribute) && layout.truthBytes === 1;
  return Math.min(end, at + (unpadded ? length : (length + 3) & ~3));
}

type Payload = {
  readonly attribute: BootstrapAttribute;
  readonly payload: Uint8Array;
  readonly at: number;
  readonly layout: BootstrapLayout;
};

function isTruth(attribute: BootstrapAttribute): boolean {
  return attribute === 'setgroups' || attribute === 'rootlessEuid';
}

function readPayload(from: Payload): unknown {
  switch (from.attribute) {
    case 'cloneFlags':
    case 'pid':
      requireSize(from, 4);
      return viewOf(from.payload).getUint32(0, true);
    case 'setgroups':
    case 'rootlessEuid':
      requireSize(from, from.layout.truthBytes);
      return from.payload[0] !== 0;
    case 'nsPaths':
      return readNsPaths(from);
    case 'uidMappings':
    case 'gidMappings':
      return readIdMap(from);
    case 'oomScoreAdj':
      return readOomScore(from);
    case 'mountSources':
      return readMountSources(from);
    case 'timeOffsets':
      return readTimeOffsets(from);
    case 'consolePath':
    case 'uidMapPath':
    case 'gidMapPath':
      return readText(from);
  }
}

function requireSize(from: Payload, size: number): void {
  if (from.payload.length !== size) {
    throw broken(from, `its payload has ${from.payload.length} bytes, not ${size}`);
  }
}

/** The text before the closing zero byte, with no other in it. */
function readText(from: Payload): string {
  const text = readTexts(from);
  if (text.includes('\0')) throw broken(from, 'its text has a zero byte in it');
  return text;
}

function readTexts(from: Payload): string {
  const { payload } = from;
  if (payload.at(-1) !== 0) throw broken(from, 'its text does not end with a zero byte');
  try {
    const inner = payload.subarray(0, -1);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(inner);
  } catch {
    throw broken(from, 'its text is not UTF-8');
  }
}

function readNsPaths(from: Payload): readonly NamespacePath[] {
  return readText(from)
    .split(',')
    .map((entry) => {
      if (!from.layout.namesNamespaces) return { path: entry };
      const colon = entry.indexOf(':');
      const type = entry.slice(0, Math.max(colon, 0));
      if (!isNamespaceType(type)) {
        throw broken(from, `${excerpt(entry)} does not begin with the type of a namespace`);
      }
      return { type, path: entry.slice(colon + 1) };
    });
}

function isNamespaceType(type: string): type is NamespaceType {
  return namespaceTypes.some((known) => known === type);
}

function readIdMap(from: Payload): readonly IdMapping[] {
  return linesOf(from).map((line) => {
    const match = /^(\d{1,10}) (\d{1,10}) (\d{1,10})$/.exec(line);
    const [containerId, hostId, size] = (match ?? []).slice(1).map(Number);
    if (containerId === undefined || hostId === undefined || size === undefined) {
      throw broken(from, `${excerpt(line)} is not a line of an id map`);
    }
    return { containerId, hostId, size };
  });
}

function readOomScore(from: Payload): number {
  const text = readText(from);
  const score = /^-?\d{1,4}$/.test(text) ? Number(text) || 0 : Number.NaN;
  if (score >= -1000 && score <= 1000) return score;
  throw broken(from, `${excerpt(text)} is not an integer from -1000 to 1000`);
}

function readMountSources(from: Payload): readonly string[] {
  const text = readTexts(from);
  if (text === '') return [];
  if (!text.endsWith('\0')) throw broken(from, 'its last source does not end with a zero byte');
  return text.slice(0, -1).split('\0');
}

function readTimeOffsets(from: Payload): readonly TimeOffset[] {
  return linesOf(from).map((line) => {
    const match = /^(monotonic|boottime) (-?\d{1,19}) (\d{1,9})$/.exec(line);
    const [, clock, secs, nanosecs] = match ?? [];
    if (
      clock === undefined ||
      secs === undefined ||
      BigInt.asIntN(64, BigInt(secs)) !== BigInt(secs)
    ) {
      throw broken(from, `${excerpt(line)} is not the offset of a clock`);
    }
    return {
      clock: clock as TimeOffset['clock'],
      secs: BigInt(secs),
      nanosecs: Number(nanosecs),
    };
  });
}

function linesOf(from: Payload): readonly string[] {
  const text = readText(from);
  if (!text.endsWith('\n')) throw broken(from, 'its last line does not end');
  return text.slice(0, -1).split('\n');
}

function broken({ attribute, at }: Payload, reason: string): MalformedBootstrapError {
  return new MalformedBootstrapError(`the attribute ${attribute}: ${reason}`, at);
}
