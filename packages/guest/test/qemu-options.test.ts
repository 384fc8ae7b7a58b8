import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQemuEpc } from '../src/index.js';
import { wordsOf } from '../src/qemu-words.js';

const object = (rest: string) => `-object memory-backend-epc,${rest}`;
const json = (properties: object) => JSON.stringify({ 'qom-type': 'memory-backend-epc', ...properties });

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
    ['262144', 64],
    ['0x40000', 64],
    ['4096b', 1],
    ['1T', 2 ** 28],
  ])('size %s', (size, pageCount) => {
    const line = `${object(`id=m,size=${size}`)} -M sgx-epc.0.memdev=m`;
    expect(parseQemuEpc(line)[0]?.pageCount).toBe(pageCount);
  });

  it('nothing about EPC is no section', () => {
    const ram = '{"qom-type":"memory-backend-ram","id":"pc.ram","size":"no matter"}';
    expect(parseQemuEpc(`-M q35 -m 4G -object rng-random,id=r -object '${ram}'`)).toEqual([]);
  });

  it('properties that mean nothing for EPC', () => {
    const rest =
      'merge=off,dump=off,reserve=on,prealloc-threads=4,prealloc-context=tc,host-nodes=0,host-nodes=2-3,policy=bind';
    const line = `${object(`id=m,size=64M,${rest},host-nodes.0=1`)} -machine q35,sgx-epc.0.memdev=m`;
    expect(parseQemuEpc(line)).toEqual([{ id: 'm', pageCount: 16384, isPreallocated: false, node: 0 }]);
  });

  const memory = { id: 'memepc0', prealloc: true, size: 67108864, 'host-nodes': [0, 1], policy: 'bind' };
  const machine = "-machine 'pc-q35-7.0,usb=off,sgx-epc.0.memdev=memepc0,sgx-epc.0.node=1'";
  const section = [{ id: 'memepc0', pageCount: 16384, isPreallocated: true, node: 1 }];
  it.each([
    ['in single quotes', `'${json(memory)}'`],
    ['in double quotes', `"${json(memory).replaceAll('"', '\\"')}"`],
    ['with spaces and braces in text', `'${json({ ...memory, 'prealloc-context': '{ "' })}'`],
    ['without quotes, as process listings print it', json({ ...memory, 'prealloc-context': '} "\\' })],
    ['over several lines', JSON.stringify({ 'qom-type': 'memory-backend-epc', ...memory }, null, 2)],
  ])('JSON, as libvirt writes it: %s', (_, text) => {
    expect(parseQemuEpc(`-object ${text} \\\n ${machine}`)).toEqual(section);
  });

  it('words are taken as they are', () => {
    const words = ['-object', json(memory), '-machine', 'sgx-epc.0.memdev=memepc0,sgx-epc.0.node=1'];
    expect(parseQemuEpc(words)).toEqual(section);
  });

  it.each([
    [object('size=64M'), /needs an id/],
    [object('id=,size=64M'), /needs an id/],
    [object('id=m'), /needs a size/],
    [object('id=m,size=0'), /larger than 0/],
    [object('id=m,size=6000b'), /size 6000b is no multiple of a page \(4 KiB\)/],
    [object('id=m,size=64'), /size 64 bytes, which is no multiple of a page/],
    [object('id=m,size=0.0001K'), /size 0.0001K is no multiple of a page/],
    [object('id=m,size=16E'), /16E is more than an EPC can have/],
    [object('id=m,size=64X'), /'64X' is no size/],
    [object('id=m,size=64M,size=1M'), /'size' is given twice/],
    [object('id=m,size=64M,prealloc'), /'prealloc' has no value/],
    [object('id=m,size=64M,prealloc=maybe'), /on or off, not 'maybe'/],
    [object('id=m,size=64M,share=off'), /always shared/],
    [object('id=m,size=64M,mem-path=/dev/sgx_vepc'), /'mem-path' is no property of EPC memory/],
    [object('id=m,size=64M,dump=toString'), /'dump' is on or off, not 'toString'/],
    [object('id=m,size=64M,merge=some'), /'merge' is on or off, not 'some'/],
    [object('id=m,size=64M,prealloc-threads=0'), /'prealloc-threads' is a number above 0, not '0'/],
    [object('id=m,size=64M,host-nodes=a'), /'host-nodes' names NUMA nodes, not 'a'/],
    [object('id=m,size=64M,policy=strict'), /is default, preferred, bind or interleave, not 'strict'/],
    [`-object '${json({ size: 4096 })}'`, /needs an id/],
    [`-object '${json({ id: 'm' })}'`, /needs a size/],
    [`-object '${json({ id: 'm', size: 6000 })}'`, /6000 bytes, which is no multiple of a page/],
    [`-object '${json({ id: 'm', size: '64M' })}'`, /'size' is a whole number of bytes, not "64M"/],
    [`-object '${json({ id: 'm', size: -4096 })}'`, /'size' is a whole number of bytes, not -4096/],
    [`-object '${json({ id: 5, size: 4096 })}'`, /'id' is text, not 5/],
    [`-object '${json({ id: 'm', size: 4096, prealloc: 'on' })}'`, /'prealloc' is true or false, not "on"/],
    [`-object '${json({ id: 'm', size: 4096, share: false })}'`, /always shared/],
    [`-object '${json({ id: 'm', size: 4096, 'host-nodes': '0' })}'`, /is a list of NUMA nodes, not "0"/],
    [`-object '${json({ id: 'm', size: 4096, policy: 1 })}'`, /'policy' is default, .* not 1/],
    [`-object '${json({ id: 'm', size: 4096, 'prealloc-threads': 0 })}'`, /is a number above 0, not 0/],
    [`-object '${json({ id: 'm', size: 4096, align: 1 })}'`, /'align' is no property of EPC memory/],
    ["-object '{qom-type: memory-backend-epc}'", /it is no JSON/],
    ["-object 'memory-backend-epc,id=m", /a quote \('\) has no end/],
    ['-object {"qom-type":"memory-backend-epc"', /JSON has no end/],
    [`${object('id=m,size=64M')} ${object('id=m,size=64M')}`, /a backend 'm' already/],
    [`${object('id=m,size=64M')}`, /no section uses memory backend 'm'/],
    ['-M sgx-epc.0.memdev=m', /no memory backend 'm'/],
    ['-M sgx-epc.0.node=0', /section 0 needs a memdev/],
    [`${object('id=m,size=64M')} -M sgx-epc.1.memdev=m`, /without gaps, and 0 is missing/],
    [`${object('id=m,size=64M')} -M sgx-epc.0.memdev=m,sgx-epc.1.memdev=m`, /is that of section 0/],
    [`${object('id=m,size=64M')} -M sgx-epc.0.memdev=m,sgx-epc.0.memdev=m`, /has a backend already/],
    [
      `${object('id=m,size=64M')} -M sgx-epc.0.memdev=m,sgx-epc.0.node=0,sgx-epc.0.node=1`,
      /has a node already/,
    ],
    [`${object('id=m,size=64M')} -M sgx-epc.0.memdev=m,sgx-epc.0.node=one`, /'one' is no NUMA node/],
    ['-M sgx-epc.0.size=1', /is no property of a section/],
    ['-object', /has no value/],
  ])('%s', (line, message) => {
    expect(() => parseQemuEpc(line)).toThrow(message);
  });
});

describe('words of a command line', () => {
  it.each([
    ["a 'b c'd \"e 'f\" ", ['a', 'b cd', "e 'f"]],
    ["'' \\  x\\'y", ['', ' ', "x'y"]],
    ['"a\\"b\\n\\\\"', ['a"b\\n\\']],
    ['a \\\n  b\\\nc\n', ['a', 'bc']],
    ['{a b} c{"d"}', ['{a', 'b}', 'c{d}']],
    ['', []],
  ])('%j', (line, words) => {
    expect(wordsOf(line)).toEqual(words);
  });

  it('any words, quoted, come back', () => {
    const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme-ascii' })), (words) => {
        expect(wordsOf(words.map(quoted).join('  '))).toEqual(words);
      }),
    );
  });
});
