import { PageType, SecInfo } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SgxIoctlName, StructCodec } from '../../src/index.js';
import {
  addArgument,
  createArgument,
  decodeIoctl,
  decodeIoctlNumber,
  encodeIoctlNumber,
  IoctlDirection,
  modifyTypesArgument,
  PAGE_MEASURE,
  removeArgument,
  restrictArgument,
  SGX_MAGIC,
  secInfoStruct,
  secsStruct,
  sgxIoctls,
  writtenBack,
} from '../../src/index.js';
import { Stack } from '../stack.js';

const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const names = Object.keys(sgxIoctls) as SgxIoctlName[];

// Direction, nr and number of __u64 fields as the header has them; 0x4008A400 and so on follow.
const known: readonly [SgxIoctlName, number, number, number, number][] = [
  ['CREATE', IoctlDirection.WRITE, 0, 1, 0x4008a400],
  ['ADD_PAGES', IoctlDirection.READ_WRITE, 1, 6, 0xc030a401],
  ['INIT', IoctlDirection.WRITE, 2, 1, 0x4008a402],
  ['PROVISION', IoctlDirection.WRITE, 3, 1, 0x4008a403],
  ['VEPC_REMOVE_ALL', IoctlDirection.NONE, 4, 0, 0x0000a404],
  ['RESTRICT_PERMISSIONS', IoctlDirection.READ_WRITE, 5, 5, 0xc028a405],
  ['MODIFY_TYPES', IoctlDirection.READ_WRITE, 6, 5, 0xc028a406],
  ['REMOVE_PAGES', IoctlDirection.READ_WRITE, 7, 3, 0xc018a407],
];

describe('ioctl numbers', () => {
  it.each(known)('%s', (name, direction, nr, words, command) => {
    const { argument } = sgxIoctls[name];
    expect(sgxIoctls[name].command).toBe(command);
    expect(decodeIoctlNumber(command)).toEqual({
      direction,
      nr,
      magic: SGX_MAGIC,
      sizeBytes: argument.sizeBytes,
    });
    expect(argument.sizeBytes).toBe(8 * words);
  });

  it('are all in the table', () => {
    expect(names).toEqual(known.map(([name]) => name));
  });

  it('come back as they were', () => {
    const number = fc.record({
      direction: fc.constantFrom(...Object.values(IoctlDirection)),
      sizeBytes: fc.nat(0x3fff),
      magic: fc.nat(255),
      nr: fc.nat(255),
    });
    fc.assert(
      fc.property(number, (it) => {
        expect(decodeIoctlNumber(encodeIoctlNumber(it))).toEqual(it);
      }),
    );
    fc.assert(
      fc.property(fc.nat(0xffffffff), (it) => {
        expect(encodeIoctlNumber(decodeIoctlNumber(it))).toBe(it);
      }),
    );
  });
});

describe('structures', () => {
  it.each(names)('%s: bytes and fields are the same thing', (name) => {
    const codec = sgxIoctls[name].argument as StructCodec<Record<string, bigint>>;
    const bytes = fc.uint8Array({ minLength: codec.sizeBytes, maxLength: codec.sizeBytes });
    fc.assert(
      fc.property(bytes, (it) => {
        expect(codec.encode(codec.decode(it))).toEqual(it);
        const decoded = decodeIoctl(sgxIoctls[name].command, it);
        expect(decoded).toEqual({ name, argument: codec.decode(it) });
      }),
    );
  });

  it('have their fields in the order of the header, little-endian', () => {
    const { argument } = sgxIoctls.MODIFY_TYPES;
    const bytes = argument.encode({
      offset: 0x1122334455667788n,
      length: 1n,
      page_type: 2n,
      result: 3n,
      count: 4n,
    });
    expect([...bytes.subarray(0, 8)]).toEqual([0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
    expect([8, 16, 24, 32].map((at) => bytes[at])).toEqual([1, 2, 3, 4]);
  });

  it('are read at the offset of a view', () => {
    const bytes = new Uint8Array(16);
    bytes[8] = 5;
    expect(sgxIoctls.CREATE.argument.decode(bytes.subarray(8))).toEqual({ src: 5n });
  });

  it('are refused when bytes are missing; unknown numbers are null', () => {
    expect(() => decodeIoctl(sgxIoctls.INIT.command, new Uint8Array(7))).toThrow('8 bytes');
    expect(decodeIoctl(0xc018a408, new Uint8Array(64))).toBeNull();
  });

  it('SECINFO comes back as it was', () => {
    const reserved = fc.uint8Array({ minLength: 56, maxLength: 56 });
    fc.assert(
      fc.property(fc.record({ flags: word, reserved }), (it) => {
        expect(secInfoStruct.decode(secInfoStruct.encode(it))).toEqual(it);
      }),
    );
  });

  it('SECS comes back as it was', () => {
    const uint = (bits: number) => fc.nat({ max: 2 ** bits - 1 });
    const secs = fc.record({
      size: word,
      base: word,
      ssaFrameSize: uint(31),
      miscSelect: uint(31),
      attributes: word,
      xfrm: word,
      configId: fc.uint8Array({ minLength: 64, maxLength: 64 }),
      configSvn: uint(16),
      isRestZero: fc.boolean(),
    });
    fc.assert(
      fc.property(secs, (it) => {
        expect(secsStruct.decode(secsStruct.encode(it))).toEqual(it);
      }),
    );
  });

  it.each([24, 47, 64, 191, 256, 262, 4095])('SECS: byte %i is not for user space', (at) => {
    const bytes = new Uint8Array(4096);
    bytes[at] = 1;
    expect(secsStruct.decode(bytes).isRestZero).toBe(false);
  });
});

describe('arguments', () => {
  it('of CREATE come from the SECS', () => {
    const secs = secsStruct.decode(new Uint8Array(4096));
    const argument = createArgument({ ...secs, size: 0x10000n, base: 0x7000_0000n, attributes: 6n });
    expect(argument).toEqual({ pageCount: 16, basePage: 0x70000, attributes: 6 });
  });

  it('of ADD_PAGES come from the structure and SECINFO', () => {
    const argument = {
      src: 0x1000n,
      offset: 0x3000n,
      length: 0x2000n,
      secinfo: 0n,
      flags: PAGE_MEASURE,
      count: 0n,
    };
    const flags = BigInt(SecInfo.R | (PageType.REG << SecInfo.TYPE_SHIFT));
    const secinfo = { flags, reserved: new Uint8Array(56) };
    const good = { page: 3, count: 2, isMeasured: true, source: 'good', type: PageType.REG, prot: SecInfo.R };
    expect(addArgument(argument, secinfo)).toEqual({ ...good, isSecInfoReserved: false });
    expect(addArgument({ ...argument, src: 1n }, secinfo).source).toBe('misaligned');
    expect(addArgument(argument, { ...secinfo, flags: 1n << 16n }).isSecInfoReserved).toBe(true);
    expect(addArgument(argument, { flags, reserved: new Uint8Array(56).fill(1) }).isSecInfoReserved).toBe(
      true,
    );
  });

  it('of dynamic memory: every unaligned number of bytes is a fraction of pages', () => {
    fc.assert(
      fc.property(word, (offset) => {
        const { page } = removeArgument({ offset, length: 4096n, count: 0n });
        expect(Number.isInteger(page)).toBe(offset % 4096n === 0n);
        if (offset < 2n ** 40n) expect(page).toBe(Number(offset) / 4096);
      }),
    );
  });

  it('as recorded can be decoded, replayed and compared', () => {
    const stack = new Stack({ dynamic: true });
    const enclave = stack.build(stack.process(0), { pages: 4, range: 16 });
    const { argument, command } = sgxIoctls.MODIFY_TYPES;
    const struct = { offset: 0x1000n, length: 0x2000n, page_type: 4n, result: 0n, count: 0n };
    const recorded = decodeIoctl(command, argument.encode(struct));
    if (recorded?.name !== 'MODIFY_TYPES') throw new Error('another ioctl');
    const { modifyTypes, restrictPermissions } = stack.driver;
    const replayed = stack.run(
      modifyTypes.run(stack.thread(), enclave, modifyTypesArgument(recorded.argument)),
    );
    expect({ ...recorded.argument, ...writtenBack(replayed) }).toEqual({ ...struct, count: 0x2000n });
    const range = { offset: 0x1000n, length: 0x1000n, permissions: 1n, result: 0n, count: 0n };
    const refused = stack.run(restrictPermissions.run(stack.thread(), enclave, restrictArgument(range)));
    expect([refused.result, writtenBack(refused)]).toEqual([-22, { count: 0n, result: 0n }]);
  });
});
