import {
  alignmentOf,
  DbusFormatError,
  type DbusValue,
  memberTypes,
  splitSignature,
} from './dbus-type.ts';

/** Writes values one after the other, little-endian, each where its type may begin. */
export class Marshaller {
  #bytes: Buffer = Buffer.alloc(256);
  #length = 0;

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @throws DbusFormatError when a value does not have its type */
  write(signature: string, values: readonly DbusValue[]): this {
    const types = splitSignature(signature);
    if (types.length !== values.length) {
      throw new DbusFormatError(`${values.length} values for the signature ${signature}`);
    }
    for (const [index, type] of types.entries()) this.#value(type, values[index]!);
    return this;
  }

  /** Zeros up to a multiple of `alignment`. */
  pad(alignment: number): this {
    const length = Math.ceil(this.#length / alignment) * alignment;
    this.#reserve(length - this.#length);
    this.#bytes.fill(0, this.#length, length);
    this.#length = length;
    return this;
  }

  #value(type: string, value: DbusValue): void {
    this.pad(alignmentOf(type));
    switch (type[0]) {
      case 'y':
        return this.#integer(value, 1, 0n, 0xffn);
      case 'b':
        if (typeof value !== 'boolean') throw wrong(type, value);
        return this.#integer(value ? 1 : 0, 4, 0n, 1n);
      case 'i':
        return this.#integer(value, 4, -0x8000_0000n, 0x7fff_ffffn);
      case 'u':
        return this.#integer(value, 4, 0n, 0xffff_ffffn);
      case 'x':
        return this.#integer(value, 8, -(2n ** 63n), 2n ** 63n - 1n);
      case 't':
        return this.#integer(value, 8, 0n, 2n ** 64n - 1n);
      case 's':
      case 'o':
      case 'g':
        return this.#text(type, value);
      case 'v':
        return this.#variant(value);
      case 'a':
        return this.#array(type.slice(1), value);
      default:
        if (!Array.isArray(value)) throw wrong(type, value);
        this.write(memberTypes(type).join(''), value as readonly DbusValue[]);
    }
  }

  #integer(value: DbusValue, size: 1 | 4 | 8, min: bigint, max: bigint): void {
    if (typeof value !== 'bigint' && !Number.isInteger(value)) throw wrong('integer', value);
    const exact = BigInt(value as number | bigint);
    if (exact < min || exact > max) throw wrong(`integer from ${min} to ${max}`, value);
    this.#reserve(size);
    const bits = BigInt.asUintN(64, exact);
    if (size === 8) this.#bytes.writeBigUInt64LE(bits, this.#length);
    else this.#bytes.writeUIntLE(Number(BigInt.asUintN(size * 8, bits)), this.#length, size);
    this.#length += size;
  }

  #text(type: string, value: DbusValue): void {
    if (typeof value !== 'string' || value.includes('\0') || !value.isWellFormed()) {
      throw wrong(type, value);
    }
    const bytes = Buffer.from(`${value}\0`);
    if (type === 'g' && bytes.length > 256) throw wrong(type, value);
    this.#integer(bytes.length - 1, type === 'g' ? 1 : 4, 0n, 0xffff_ffffn);
    this.#raw(bytes);
  }

  #variant(value: DbusValue): void {
    if (typeof value !== 'object' || !('signature' in value)) throw wrong('v', value);
    const { signature, value: inner } = value;
    this.#text('g', signature);
    this.write(signature, [inner]);
  }

  /** The length does not count the padding before the first element. */
  #array(type: string, value: DbusValue): void {
    const isBytes = type === 'y' && value instanceof Uint8Array;
    if (!isBytes && !Array.isArray(value)) throw wrong(`a${type}`, value);
    const lengthAt = this.#length;
    this.#integer(0, 4, 0n, 0n);
    this.pad(alignmentOf(type));
    const start = this.#length;
    if (isBytes) this.#raw(value);
    else for (const element of value as readonly DbusValue[]) this.#value(type, element);
    this.#bytes.writeUInt32LE(this.#length - start, lengthAt);
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.alloc(2 * (this.#length + more));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}

const wrong = (type: string, value: DbusValue): DbusFormatError =>
  new DbusFormatError(`a value of type ${typeof value} is no D-Bus ${type}`);
