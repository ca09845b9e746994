import {
  alignmentOf,
  DbusFormatError,
  type DbusValue,
  memberTypes,
  splitSignature,
} from './dbus-type.ts';

/** D-Bus specification, "Summary of types": an array has at most 64 MiB. */
const MAX_ARRAY_BYTES = 64 * 1024 * 1024;
const MAX_DEPTH = 64;

/** Reads values one after the other. Every length is checked against what is there. */
export class Unmarshaller {
  readonly #bytes: Buffer;
  readonly #isLittleEndian: boolean;
  #at = 0;
  #depth = 0;

  constructor(bytes: Buffer, isLittleEndian: boolean) {
    this.#bytes = bytes;
    this.#isLittleEndian = isLittleEndian;
  }

  /** How many bytes have been read. */
  get position(): number {
    return this.#at;
  }

  /** @throws DbusFormatError */
  read(signature: string): DbusValue[] {
    return splitSignature(signature).map((type) => this.#value(type));
  }

  /** Skips to a multiple of `alignment`; what is skipped must be zeros. */
  align(alignment: number): void {
    const next = Math.ceil(this.#at / alignment) * alignment;
    if (this.#take(next - this.#at).some((byte) => byte !== 0)) {
      throw new DbusFormatError('the padding of a D-Bus message is not zero');
    }
  }

  #value(type: string): DbusValue {
    this.align(alignmentOf(type));
    switch (type[0]) {
      case 'y':
        return this.#take(1)[0]!;
      case 'b':
        return this.#boolean();
      case 'i':
        return this.#uint32() | 0;
      case 'u':
        return this.#uint32();
      case 'x':
        return BigInt.asIntN(64, this.#uint64());
      case 't':
        return this.#uint64();
      case 's':
      case 'o':
        return this.#text(this.#uint32());
      case 'g':
        return this.#text(this.#take(1)[0]!);
      default:
        return this.#nested(() => this.#container(type));
    }
  }

  #container(type: string): DbusValue {
    if (type === 'v') {
      const signature = this.#text(this.#take(1)[0]!);
      const [value, ...more] = this.read(signature);
      if (value === undefined || more.length > 0) {
        throw new DbusFormatError('a D-Bus variant does not hold one value');
      }
      return { signature, value };
    }
    if (type[0] === 'a') return this.#array(type.slice(1));
    return memberTypes(type).map((member) => this.#value(member));
  }

  #array(type: string): DbusValue {
    const length = this.#uint32();
    if (length > MAX_ARRAY_BYTES) throw new DbusFormatError('a D-Bus array is too long');
    this.align(alignmentOf(type));
    if (type === 'y') return Buffer.from(this.#take(length));
    const end = this.#at + length;
    const values: DbusValue[] = [];
    while (this.#at < end) values.push(this.#value(type));
    if (this.#at !== end) throw new DbusFormatError('a D-Bus array ends inside an element');
    return values;
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new DbusFormatError('a D-Bus value is nested too deeply');
    const value = read();
    this.#depth -= 1;
    return value;
  }

  #boolean(): boolean {
    const value = this.#uint32();
    if (value > 1) throw new DbusFormatError(`${value} is no D-Bus boolean`);
    return value === 1;
  }

  #text(length: number): string {
    const bytes = this.#take(length);
    if (this.#take(1)[0] !== 0 || bytes.includes(0)) {
      throw new DbusFormatError('a D-Bus string does not end where it says');
    }
    return bytes.toString();
  }

  #uint32(): number {
    const bytes = this.#take(4);
    return this.#isLittleEndian ? bytes.readUInt32LE() : bytes.readUInt32BE();
  }

  #uint64(): bigint {
    const bytes = this.#take(8);
    return this.#isLittleEndian ? bytes.readBigUInt64LE() : bytes.readBigUInt64BE();
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) {
      throw new DbusFormatError('a D-Bus message is cut short');
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
