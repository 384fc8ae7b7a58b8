import { MisuseError } from '@epckit/interface';

/** Writes values as bytes of a C structure and reads them back. Everything is little-endian, as on x86. */
export interface StructCodec<T> {
  /** Size of the structure. */
  readonly sizeBytes: number;
  /** Bytes of a value. */
  encode(value: T): Uint8Array;
  /** Value of the first {@link sizeBytes} bytes. @throws MisuseError if there are fewer */
  decode(bytes: Uint8Array): T;
}

/** Values of a structure whose fields are all `__u64`, by name. */
export type WordStruct<Name extends string> = Readonly<Record<Name, bigint>>;

const WORD_BYTES = 8;

/** Codec of a structure of `__u64` fields in this order, without gaps. */
export function wordStruct<const Name extends string>(names: readonly Name[]): StructCodec<WordStruct<Name>> {
  const sizeBytes = names.length * WORD_BYTES;
  return {
    sizeBytes,
    encode: (value) => {
      const bytes = new Uint8Array(sizeBytes);
      const view = viewOf(bytes, sizeBytes);
      names.forEach((name, i) => void view.setBigUint64(i * WORD_BYTES, value[name], true));
      return bytes;
    },
    decode: (bytes) => {
      const view = viewOf(bytes, sizeBytes);
      const fields = names.map((name, i) => [name, view.getBigUint64(i * WORD_BYTES, true)]);
      return Object.fromEntries(fields) as WordStruct<Name>;
    },
  };
}

/** View of the first `sizeBytes` bytes. @throws MisuseError if there are fewer */
export function viewOf(bytes: Uint8Array, sizeBytes: number): DataView {
  if (bytes.length >= sizeBytes) return new DataView(bytes.buffer, bytes.byteOffset, sizeBytes);
  throw new MisuseError(`A structure of ${sizeBytes} bytes does not fit into ${bytes.length}.`);
}
