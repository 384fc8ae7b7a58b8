import { describe, expect, it } from 'vitest';
import type { ResourceName } from '../src/index.js';
import { parseEpcQuantity, parseUnified, Resource } from '../src/index.js';
import { M, Stack } from './stack.js';

const misuse = (message: string) =>
  expect.objectContaining({ code: 'EPCKIT_MISUSE', message: expect.stringContaining(message) });

describe('quantities of sgx.intel.com/epc', () => {
  it.each([
    ['512Ki', 524288],
    ['1Mi', 1048576],
    ['1048576', 1048576],
    [1048576, 1048576],
    ['0', 0],
    ['10', 10],
    ['10M', 10_000_000],
    ['1k', 1000],
    ['0.5Ki', 512],
    ['.5Gi', 536870912],
    ['5.', 5],
    ['+1Ti', 1099511627776],
    ['1Pi', 2 ** 50],
    ['1e6', 1_000_000],
    ['1E6', 1_000_000],
    ['1.5e3', 1500],
    ['20e-1', 2],
    ['2000m', 2],
    ['1000000u', 1],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['-0', 0],
    ['007', 7],
  ])('%j is %i bytes', (text, bytes) => {
    expect(parseEpcQuantity(text)).toEqual({
      bytes,
      pageCount: Math.floor(bytes / 4096),
      miscMax: `sgx_epc ${bytes}`,
    });
  });

  it.each([
    ['', 'is no quantity'],
    ['.', 'is no quantity'],
    ['Mi', 'is no quantity'],
    ['1 Mi', 'is no quantity'],
    [' 1Mi', 'is no quantity'],
    ['1MiB', 'is no quantity'],
    ['1,5Mi', 'is no quantity'],
    ['0x10', "unknown suffix 'x'"],
    ['ten', 'is no quantity'],
    ['1MB', "unknown suffix 'MB'; did you mean 'Mi'?"],
    ['1K', "unknown suffix 'K'; did you mean 'Ki'?"],
    ['1mi', "unknown suffix 'mi'; did you mean 'Mi'?"],
    ['1B', "unknown suffix 'B'"],
    ['1500m', 'is not a whole number of bytes'],
    ['0.3Ki', 'is not a whole number of bytes'],
    ['1e-1', 'is not a whole number of bytes'],
    [0.5, 'is not a whole number of bytes'],
    ['-1Mi', 'is negative'],
    ['8Pi', 'is more than 2^53 - 1 bytes'],
    ['1e99', 'is more than 2^53 - 1 bytes'],
    ['1e999', 'is no quantity'],
    [Number.NaN, 'is no quantity'],
    [Number.POSITIVE_INFINITY, 'is no quantity'],
  ])('%j %s', (text, message) => {
    if (text === '0x10') expect(() => parseEpcQuantity(text)).toThrow(misuse('is no quantity'));
    else expect(() => parseEpcQuantity(text)).toThrow(misuse(message));
  });

  it('the error names the accepted forms', () => {
    const error = (() => {
      try {
        return parseEpcQuantity('1MB');
      } catch (caught) {
        return caught as { details: string[] };
      }
    })();
    expect(error).toHaveProperty('details', [
      'accepted: bytes as a whole number (1048576), or with a suffix',
      'suffixes: Ki, Mi, Gi, Ti, Pi, Ei (powers of 1024); k, M, G, T, P, E (powers of 1000); an exponent (1e6)',
      'the amount must be a whole number of bytes, 0 or more',
    ]);
  });
});

describe('linux.resources.unified', () => {
  const known: ResourceName[] = ['sev', 'sgx_epc'];

  it('is what a runtime writes to misc.max', () => {
    const { miscMax, setting, otherFiles } = parseUnified(
      { 'memory.max': '1G', 'misc.max': 'sgx_epc 1048576', 'io.max': '8:0 rbps=1' },
      known,
    );
    expect(setting).toEqual({ resource: Resource.SGX_EPC, limit: 1048576n });
    expect(otherFiles).toEqual(['memory.max', 'io.max']);
    const stack = new Stack();
    stack.groups('/pod/c');
    expect(stack.run(stack.tree.files.write(stack.thread(), `${M}/pod/c/misc.max`, miscMax as string))).toBe(
      15,
    );
    expect(stack.read('/pod/c/misc.max')).toBe('sgx_epc 1048576\n');
  });

  it('may have nothing for the controller', () => {
    expect(parseUnified({}, known)).toEqual({ miscMax: undefined, setting: undefined, otherFiles: [] });
  });

  it.each([
    [null, 'must be a map'],
    [['misc.max'], 'must be a map'],
    ['misc.max=sgx_epc 1', 'must be a map'],
    [{ 'misc.max': 1048576 }, 'unified["misc.max"] must be a text'],
    [{ 'memory.max': 5 }, 'unified["memory.max"] must be a text'],
    [{ '../misc.max': 'sgx_epc 1' }, 'is no file of the container'],
    [{ '': 'sgx_epc 1' }, 'is no file of the container'],
    [{ 'misc.current': 'sgx_epc 0' }, 'unified["misc.current"] cannot be set'],
    [{ 'misc.max': 'sgx_epc 1Mi' }, 'unified["misc.max"] is "sgx_epc 1Mi"'],
    [{ 'misc.max': '1048576' }, 'unified["misc.max"] is "1048576"'],
    [{ 'misc.max': 'tdx 1' }, 'unified["misc.max"] is "tdx 1"'],
    [{ 'misc.max': 'sgx_epc 1\nsev 1' }, 'unified["misc.max"] is "sgx_epc 1\\nsev 1"'],
    [{ 'misc.max': 'sgx_epc 18446744073709551616' }, 'does not fit into 64 bits'],
  ])('%j: %s', (unified, message) => {
    expect(() => parseUnified(unified, known)).toThrow(misuse(message));
  });
});
