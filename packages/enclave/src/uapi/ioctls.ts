import type { IoctlDirectionId } from './ioctl-number.js';
import { encodeIoctlNumber, IoctlDirection } from './ioctl-number.js';
import type { StructCodec } from './struct-codec.js';
import { wordStruct } from './struct-codec.js';

/** Magic number of the SGX devices (Linux `SGX_MAGIC`). */
export const SGX_MAGIC = 0xa4;

/** Bit of `flags` of ADD_PAGES: measure the pages (Linux `SGX_PAGE_MEASURE`). */
export const PAGE_MEASURE = 1n;

/** One ioctl of the SGX devices. */
export interface SgxIoctl<T> {
  /** Number, computed from direction, size and nr. */
  readonly command: number;
  /** Its argument. */
  readonly argument: StructCodec<T>;
}

function ioctl<T>(direction: IoctlDirectionId, nr: number, argument: StructCodec<T>): SgxIoctl<T> {
  const { sizeBytes } = argument;
  return { command: encodeIoctlNumber({ direction, sizeBytes, magic: SGX_MAGIC, nr }), argument };
}

const { NONE, WRITE, READ_WRITE } = IoctlDirection;

/**
 * Ioctls of `/dev/sgx_enclave` and `/dev/sgx_vepc` (Linux `arch/x86/include/uapi/asm/sgx.h`). Addresses, offsets,
 * lengths and counts are in bytes.
 */
export const sgxIoctls = {
  /** makes an enclave of the SECS at `src` (Linux `SGX_IOC_ENCLAVE_CREATE`) */
  CREATE: ioctl(WRITE, 0, wordStruct(['src'])),
  /** adds pages; `count` is a result (Linux `SGX_IOC_ENCLAVE_ADD_PAGES`) */
  ADD_PAGES: ioctl(READ_WRITE, 1, wordStruct(['src', 'offset', 'length', 'secinfo', 'flags', 'count'])),
  /** finishes the enclave (Linux `SGX_IOC_ENCLAVE_INIT`) */
  INIT: ioctl(WRITE, 2, wordStruct(['sigstruct'])),
  /** allows the provisioning key (Linux `SGX_IOC_ENCLAVE_PROVISION`) */
  PROVISION: ioctl(WRITE, 3, wordStruct(['fd'])),
  /** empties a guest's EPC; no argument (Linux `SGX_IOC_VEPC_REMOVE_ALL`) */
  VEPC_REMOVE_ALL: ioctl(NONE, 4, wordStruct([])),
  /** takes permissions away; `result` and `count` are results (Linux `SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS`) */
  RESTRICT_PERMISSIONS: ioctl(
    READ_WRITE,
    5,
    wordStruct(['offset', 'length', 'permissions', 'result', 'count']),
  ),
  /** changes page types; `result` and `count` are results (Linux `SGX_IOC_ENCLAVE_MODIFY_TYPES`) */
  MODIFY_TYPES: ioctl(READ_WRITE, 6, wordStruct(['offset', 'length', 'page_type', 'result', 'count'])),
  /** gives trimmed pages back; `count` is a result (Linux `SGX_IOC_ENCLAVE_REMOVE_PAGES`) */
  REMOVE_PAGES: ioctl(READ_WRITE, 7, wordStruct(['offset', 'length', 'count'])),
} as const;

/** Name of an ioctl of {@link sgxIoctls}. */
export type SgxIoctlName = keyof typeof sgxIoctls;

/** Argument of an ioctl. */
export type SgxIoctlArgument<Name extends SgxIoctlName> =
  (typeof sgxIoctls)[Name] extends SgxIoctl<infer T> ? T : never;

/** An ioctl with its argument, as recorded. */
export type DecodedIoctl = {
  [Name in SgxIoctlName]: {
    /** Which ioctl. */
    readonly name: Name;
    /** What was handed in. */
    readonly argument: SgxIoctlArgument<Name>;
  };
}[SgxIoctlName];

const nameByCommand: ReadonlyMap<number, SgxIoctlName> = new Map(
  (Object.keys(sgxIoctls) as SgxIoctlName[]).map((name) => [sgxIoctls[name].command, name]),
);

/**
 * The ioctl with number `command` and the argument in `bytes`; null for an unknown number, which Linux answers with
 * `ENOIOCTLCMD`.
 *
 * @throws MisuseError if there are fewer bytes than the argument has
 */
export function decodeIoctl(command: number, bytes: Uint8Array): DecodedIoctl | null {
  const name = nameByCommand.get(command >>> 0);
  if (name === undefined) return null;
  const argument: unknown = sgxIoctls[name].argument.decode(bytes);
  return { name, argument } as DecodedIoctl;
}
