import { Attribute, Errno, PageType, Prot } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { AddArgument, CreateArgument, InitArgument, KernelCall } from '../src/index.js';
import { Stack } from './stack.js';

const good = { pageCount: 16, basePage: 0x4000, attributes: Attribute.MODE64BIT };

function create(
  stack: Stack,
  argument: Partial<CreateArgument>,
  failures: readonly KernelCall[] = [],
): number {
  stack.failNext(...failures);
  const enclave = stack.driver.open();
  return stack.run(stack.driver.create.run(stack.thread(), enclave, { ...good, ...argument }));
}

describe('CREATE', () => {
  it.each<[string, Partial<CreateArgument>, readonly KernelCall[], number]>([
    ['an argument that cannot be read', { isArgumentBad: true }, ['kmalloc'], -Errno.EFAULT],
    ['a source that cannot be read', { isSourceBad: true, pageCount: 3 }, [], -Errno.EFAULT],
    ['no buffer', { isSourceBad: true }, ['kmalloc'], -Errno.ENOMEM],
    ['no backing file', {}, ['shmem_file'], -Errno.ENOMEM],
  ])('with %s', (_, argument, failures, result) => {
    const stack = new Stack();
    const free = stack.free().length;
    expect(create(stack, argument, failures)).toBe(result);
    expect(stack.free()).toHaveLength(free);
    expect(stack.violations()).toEqual([]);
  });
});

describe('ADD_PAGES', () => {
  const page: AddArgument = { page: 0, count: 2, type: PageType.REG, prot: Prot.R, isMeasured: false };
  it.each<[string, Partial<AddArgument>, number]>([
    ['an argument that cannot be read', { isArgumentBad: true, source: 'misaligned' }, -Errno.EFAULT],
    ['a misaligned source', { source: 'misaligned', isSecInfoBad: true }, -Errno.EINVAL],
    ['a SECINFO that cannot be read', { isSecInfoBad: true, prot: Prot.W }, -Errno.EFAULT],
    ['reserved bytes in SECINFO', { isSecInfoReserved: true }, -Errno.EINVAL],
    ['a source that must not be executed', { source: 'noexec' }, -Errno.EACCES],
    ['a source that is not mapped', { source: 'unmapped' }, -Errno.EFAULT],
  ])('with %s', (_, argument, result) => {
    const stack = new Stack();
    const enclave = stack.create(16);
    const free = stack.free().length;
    const routine = stack.driver.addPages.run(stack.thread(), stack.process(), enclave, {
      ...page,
      ...argument,
    });
    expect(stack.run(routine)).toEqual({ result, count: 0 });
    expect(stack.free()).toHaveLength(free);
    expect(stack.violations()).toEqual([]);
  });

  it.each<KernelCall>(['kmalloc', 'xa'])('when %s fails: ENOMEM', (call) => {
    const stack = new Stack();
    const enclave = stack.create(16);
    stack.failNext(call);
    expect(stack.add(stack.process(), enclave, 0)).toEqual({ result: -Errno.ENOMEM, count: 0 });
    expect(stack.violations()).toEqual([]);
  });

  it('tells the number of pages done before each page', () => {
    const stack = new Stack();
    const done: number[] = [];
    const beforePage = (count: number) => void done.push(count);
    const argument = { ...page, count: 3, beforePage };
    stack.run(stack.driver.addPages.run(stack.thread(), stack.process(), stack.create(16), argument));
    expect(done).toEqual([0, 1, 2]);
  });
});

describe('INIT', () => {
  it.each<[string, InitArgument, number]>([
    ['an argument that cannot be read', { isArgumentBad: true }, -Errno.EFAULT],
    ['a SIGSTRUCT that cannot be read', { isSourceBad: true, vendor: 5 }, -Errno.EFAULT],
    ['another vendor', { vendor: 5 }, -Errno.EINVAL],
    ['Intel as vendor', { vendor: 0x8086 }, 0],
    ['a demanded attribute that is reserved', { attributes: 8, attributeMask: 8 }, -Errno.EINVAL],
    ['a demanded MISCSELECT bit that is reserved', { miscSelect: 2, miscMask: 2 }, -Errno.EINVAL],
    ['a demanded XFRM bit that is reserved', { xfrm: 8n, xfrmMask: 8n }, -Errno.EINVAL],
    ['a reserved bit that is not demanded', { attributes: 8 }, 0],
  ])('with %s', (_, argument, result) => {
    const stack = new Stack();
    const enclave = stack.create(16);
    expect(stack.run(stack.driver.init.run(stack.thread(), enclave, argument))).toBe(result);
  });

  it('without a buffer: ENOMEM', () => {
    const stack = new Stack();
    const enclave = stack.create(16);
    stack.failNext('kmalloc');
    expect([stack.init(enclave), stack.init(enclave)]).toEqual([-Errno.ENOMEM, 0]);
  });
});

describe('PROVISION', () => {
  const key = Attribute.MODE64BIT | Attribute.PROVISIONKEY;
  it.each([
    ['the right file', { isProvisionFile: true }, 0, 0],
    ['another file', { isProvisionFile: false }, -Errno.EINVAL, -Errno.EACCES],
    ['a bad argument', { isProvisionFile: true, isArgumentBad: true }, -Errno.EFAULT, -Errno.EACCES],
  ])('with %s', (_, argument, result, init) => {
    const stack = new Stack();
    const enclave = stack.driver.open();
    stack.run(stack.driver.create.run(stack.thread(), enclave, { ...good, attributes: key }));
    expect(stack.run(stack.driver.provision.run(stack.thread(), enclave, argument))).toBe(result);
    expect(stack.init(enclave)).toBe(init);
  });
});
