import { describe, expect, it } from 'vitest';
import { parseQemuEpc } from '../src/index.js';

const object = (rest: string) => `-object memory-backend-epc,${rest}`;

describe('EPC options of QEMU', () => {
  it('one section, as the documentation has it', () => {
    const line = `-cpu host,+sgx-provisionkey ${object('id=mem1,size=64M,prealloc=on')} -M sgx-epc.0.memdev=mem1,sgx-epc.0.node=0`;
    expect(parseQemuEpc(line)).toEqual([{ id: 'mem1', pageCount: 16384, isPreallocated: true, node: 0 }]);
  });

  it('several sections in the order of their numbers, whatever the order of options', () => {
    const words = [
      '-machine',
      'q35,sgx-epc.1.memdev=b,sgx-epc.1.node=1,sgx-epc.0.memdev=a',
      '-object',
      'memory-backend-epc,id=b,size=28672K',
      '--object',
      'memory-backend-epc,id=a,size=8192b,prealloc=off,share=on',
      '-object',
      'memory-backend-ram,id=ram,size=1G',
    ];
    expect(parseQemuEpc(words)).toEqual([
      { id: 'a', pageCount: 2, isPreallocated: false, node: 0 },
      { id: 'b', pageCount: 7168, isPreallocated: false, node: 1 },
    ]);
  });

  it.each([
    ['1G', 262144],
    ['1g', 262144],
    ['0.5M', 128],
    ['8', 2048],
    ['4096b', 1],
    ['1T', 2 ** 28],
  ])('size %s', (size, pageCount) => {
    const line = `${object(`id=m,size=${size}`)} -M sgx-epc.0.memdev=m`;
    expect(parseQemuEpc(line)[0]?.pageCount).toBe(pageCount);
  });

  it('nothing about EPC is no section', () => {
    expect(parseQemuEpc('-M q35 -m 4G -object rng-random,id=r')).toEqual([]);
  });

  it.each([
    [object('size=64M'), /needs an id/],
    [object('id=,size=64M'), /needs an id/],
    [object('id=m'), /needs a size/],
    [object('id=m,size=0'), /larger than 0/],
    [object('id=m,size=6000b'), /6000b is no multiple of 4 KiB/],
    [object('id=m,size=64X'), /'64X' is no size/],
    [object('id=m,size=64M,size=1M'), /'size' is given twice/],
    [object('id=m,size=64M,prealloc'), /'prealloc' has no value/],
    [object('id=m,size=64M,prealloc=maybe'), /on or off, not 'maybe'/],
    [object('id=m,size=64M,share=off'), /always shared/],
    [object('id=m,size=64M,merge=on'), /'merge' is no property/],
    [`${object('id=m,size=64M')} ${object('id=m,size=64M')}`, /a backend 'm' already/],
    [`${object('id=m,size=64M')}`, /no section uses memory backend 'm'/],
    ['-M sgx-epc.0.memdev=m', /no memory backend 'm'/],
    ['-M sgx-epc.0.node=0', /section 0 needs a memdev/],
    [`${object('id=m,size=64M')} -M sgx-epc.1.memdev=m`, /without gaps, and 0 is missing/],
    [`${object('id=m,size=64M')} -M sgx-epc.0.memdev=m,sgx-epc.1.memdev=m`, /is that of section 0/],
    [`${object('id=m,size=64M')} -M sgx-epc.0.memdev=m,sgx-epc.0.memdev=m`, /has a backend already/],
    [`${object('id=m,size=64M')} -M sgx-epc.0.memdev=m,sgx-epc.0.node=one`, /'one' is no NUMA node/],
    ['-M sgx-epc.0.size=1', /is no property of a section/],
    ['-object', /has no value/],
  ])('%s', (line, message) => {
    expect(() => parseQemuEpc(line)).toThrow(message);
  });
});
