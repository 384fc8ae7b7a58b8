import { PageType, Prot } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Preset } from '../../src/index.js';
import { presets } from '../../src/index.js';
import { Expected, eaccept, emodpe, get, initTcs, nop, put } from './enclave-code.js';
import { done, EPC_PAGES, exited, Selftest } from './selftest.js';
import { untilDone } from './test-enclave.js';

// tools/testing/selftests/sgx/main.c of Linux 6.x: same operations, same results.

const MAGIC = 0x11_2233_4455;
const { R, W, X } = Prot;
const PAGE_BYTES = 4096;
/** As in the kernel: as many pages as all sections have. */
const HEAP_AS_EPC = EPC_PAGES;
/** A heap that needs more than one version array page. */
const LARGE_HEAP = 640;

describe.each(Object.entries<Preset>(presets))('selftests of Linux with preset %s', (_name, preset) => {
  it('unclobbered_vdso', () => {
    const test = new Selftest(preset);
    const { data } = test.encl.layout;
    expect(test.call(put(data, MAGIC))).toEqual(exited(MAGIC));
    expect(test.call(get(data))).toEqual(exited(MAGIC));
    test.end();
  });

  // Registers are not modelled: the call that clobbers them is the same here.
  it('clobbered_vdso', () => {
    const test = new Selftest(preset);
    const { data } = test.encl.layout;
    expect(test.call(put(data, MAGIC))).toEqual(exited(MAGIC));
    expect(test.call(get(data))).toEqual(exited(MAGIC));
    test.end();
  });

  it('clobbered_vdso_and_user_function', () => {
    const test = new Selftest(preset);
    const { data } = test.encl.layout;
    let userData = MAGIC;
    const handler = (): number => {
      userData = 0;
      return 0;
    };
    expect(test.call(put(data, MAGIC), 0, handler)).toEqual(exited(MAGIC));
    expect(userData).toBe(0);
    userData = MAGIC;
    expect(test.call(get(data), 0, handler)).toEqual(exited(MAGIC));
    expect(userData).toBe(0);
    test.end();
  });

  it.each([HEAP_AS_EPC, LARGE_HEAP])('unclobbered_vdso_oversubscribed: heap of %i pages', (heapPages) => {
    const test = new Selftest(preset, heapPages);
    const { data } = test.encl.layout;
    expect(test.epc.frames.pageCount).toBeLessThanOrEqual(heapPages);
    expect(test.call(put(data, MAGIC))).toEqual(exited(MAGIC));
    expect(test.call(get(data))).toEqual(exited(MAGIC));
    test.end();
  });

  it.each([HEAP_AS_EPC, LARGE_HEAP])(
    'unclobbered_vdso_oversubscribed_remove: heap of %i pages',
    (heapPages) => {
      const test = new Selftest(preset, heapPages);
      const { data, heap } = test.encl.layout;
      expect(test.call(put(data, MAGIC))).toEqual(exited(MAGIC));
      expect(test.call(get(data))).toEqual(exited(MAGIC));
      const trimmed = test.step((cpu) =>
        untilDone(heap, heapPages, (page, count) => test.encl.modifyTypes(cpu, page, count, PageType.TRIM)),
      );
      expect(trimmed).toEqual(done(heapPages * PAGE_BYTES));
      for (let page = heap; page < heap + heapPages; page++) {
        expect(test.call(eaccept(page, Expected.TRIMMED))).toEqual(exited(0));
      }
      const removed = test.step((cpu) =>
        untilDone(heap, heapPages, (page, count) => test.encl.removePages(cpu, page, count)),
      );
      expect(removed).toEqual(done(heapPages * PAGE_BYTES));
      expect(test.call(get(data))).toEqual(exited(MAGIC));
      test.end();
    },
  );

  it('tcs_entry', () => {
    const test = new Selftest(preset);
    expect(test.call(nop(), 0)).toEqual(exited(0));
    expect(test.call(nop(), 1)).toEqual(exited(0));
    test.end();
  });

  it('pte_permissions', () => {
    const test = new Selftest(preset);
    const page = test.encl.layout.data + 1;
    const fault = { function: 'ERESUME', vector: 14, code: 0x7, address: test.encl.address(page), value: 0 };
    expect(test.call(put(page, MAGIC))).toEqual(exited(MAGIC));
    expect(test.call(get(page))).toEqual(exited(MAGIC));
    test.protect(page, 1, R);
    expect(test.call(put(page, 1))).toEqual(fault);
    // Still forbidden: the same instruction faults again.
    expect(test.resume()).toEqual(fault);
    expect(test.call(get(page), 1)).toEqual(exited(MAGIC));
    test.protect(page, 1, R | W);
    expect(test.resume()).toEqual(exited(1));
    expect(test.call(get(page))).toEqual(exited(1));
    test.end();
  });

  it('tcs_permissions', () => {
    const test = new Selftest(preset);
    expect(test.restrict(0, 0, 0)).toEqual({ errno: 'EINVAL', result: 0, count: 0 });
    expect(test.restrict(0, 1, R)).toEqual({ errno: 'EINVAL', result: 0, count: 0 });
    test.end();
  });

  it('epcm_permissions', () => {
    const test = new Selftest(preset);
    const page = test.encl.layout.data + 1;
    expect(test.restrict(0, 0, 0).errno).toBe('EINVAL');
    expect(test.call(put(page, MAGIC))).toEqual(exited(MAGIC));
    expect(test.call(get(page))).toEqual(exited(MAGIC));
    expect(test.restrict(page, 1, R)).toEqual(done(PAGE_BYTES));
    expect(test.call(eaccept(page, Expected.READ_ONLY))).toEqual(exited(0));
    expect(test.call(put(page, 2))).toEqual({
      function: 'ERESUME',
      vector: 14,
      code: 0x8007,
      address: test.encl.address(page),
      value: 0,
    });
    expect(test.call(emodpe(page, R | W), 1)).toEqual(exited(0));
    expect(test.resume()).toEqual(exited(2));
    expect(test.call(get(page))).toEqual(exited(2));
    test.end();
  });

  it('augment', () => {
    const test = new Selftest(preset);
    const page = test.encl.layout.end;
    const freeBefore = test.epc.pools.free;
    test.map(page, 1, R | W | X);
    expect(test.call(put(page, MAGIC))).toEqual({
      function: 'ERESUME',
      vector: 14,
      code: 0x8007,
      address: test.encl.address(page),
      value: 0,
    });
    expect(test.epc.pools.free).toBe(freeBefore - 1);
    expect(test.call(eaccept(page, Expected.ADDED), 1)).toEqual(exited(0));
    expect(test.resume()).toEqual(exited(MAGIC));
    expect(test.call(get(page))).toEqual(exited(MAGIC));
    test.end();
  });

  it('augment_via_eaccept', () => {
    const test = new Selftest(preset);
    const page = test.encl.layout.end;
    test.map(page, 1, R | W | X);
    expect(test.call(eaccept(page, Expected.ADDED))).toEqual(exited(0));
    expect(test.call(put(page, MAGIC))).toEqual(exited(MAGIC));
    expect(test.call(get(page))).toEqual(exited(MAGIC));
    test.end();
  });

  it.each([
    { test: 'augment', code: (page: number) => put(page, MAGIC), error: 0x6 },
    { test: 'augment_via_eaccept', code: (page: number) => eaccept(page, Expected.ADDED), error: 0x4 },
  ])('$test skips without SGX2', ({ code, error }) => {
    const test = new Selftest(preset, 1, { dynamicMemory: false });
    const page = test.encl.layout.end;
    test.map(page, 1, R | W | X);
    const address = test.encl.address(page);
    expect(test.call(code(page))).toEqual({
      function: 'ERESUME',
      vector: 14,
      code: error,
      address,
      value: 0,
    });
    test.end();
  });

  it('the tests of dynamic memory skip without SGX2', () => {
    const test = new Selftest(preset, 1, { dynamicMemory: false });
    const skip = { errno: 'ENODEV', result: 0, count: 0 };
    expect([test.restrict(0, 0, 0), test.modifyTypes(0, 0, 0), test.remove(0, 0)]).toEqual([
      skip,
      skip,
      skip,
    ]);
    test.end();
  });

  it('tcs_create', () => {
    const test = new Selftest(preset);
    const { end: stack, data } = test.encl.layout;
    const [tcs, saveArea] = [stack + 1, stack + 2];
    expect(test.modifyTypes(0, 0, 0).errno).toBe('EINVAL');
    expect(test.remove(0, 0).errno).toBe('EINVAL');
    test.map(stack, 3, R | W);
    for (const page of [stack, saveArea, tcs]) {
      expect(test.call(eaccept(page, Expected.ADDED))).toEqual(exited(0));
    }
    expect(test.call(initTcs(tcs))).toMatchObject({ function: 'EEXIT', vector: 0 });
    expect(test.modifyTypes(tcs, 1, PageType.TCS)).toEqual(done(PAGE_BYTES));
    expect(test.call(eaccept(tcs, Expected.TCS))).toEqual(exited(0));
    expect(test.call(put(data, MAGIC), tcs)).toEqual(exited(MAGIC));
    expect(test.call(get(data), tcs)).toEqual(exited(MAGIC));
    expect(test.trim(stack, 3)).toEqual(done(3 * PAGE_BYTES));
    for (const page of [tcs, stack, saveArea]) {
      expect(test.call(eaccept(page, Expected.TRIMMED))).toEqual(exited(0));
    }
    expect(test.remove(stack, 3)).toEqual(done(12288));
    expect(test.call(eaccept(tcs, Expected.ADDED))).toEqual(exited(0));
    expect(test.call(put(tcs, MAGIC))).toEqual(exited(MAGIC));
    expect(test.call(get(tcs))).toEqual(exited(MAGIC));
    test.end();
  });

  it('remove_added_page_no_eaccept', () => {
    const test = new Selftest(preset);
    const page = test.encl.layout.data + 1;
    expect(test.call(put(page, MAGIC))).toEqual(exited(MAGIC));
    expect(test.call(get(page))).toEqual(exited(MAGIC));
    expect(test.trim(page, 1)).toEqual(done(PAGE_BYTES));
    expect(test.remove(page, 1)).toEqual({ errno: 'EPERM', result: 0, count: 0 });
    test.end();
  });

  it.each([false, true])('remove_added_page_invalid_access, after EACCEPT: %s', (isAccepted) => {
    const test = new Selftest(preset);
    const page = test.encl.layout.data + 1;
    expect(test.call(put(page, MAGIC))).toEqual(exited(MAGIC));
    expect(test.call(get(page))).toEqual(exited(MAGIC));
    expect(test.trim(page, 1)).toEqual(done(PAGE_BYTES));
    if (isAccepted) expect(test.call(eaccept(page, Expected.TRIMMED))).toEqual(exited(0));
    expect(test.call(get(page))).toEqual({
      function: 'ERESUME',
      vector: 14,
      code: 0x8005,
      address: test.encl.address(page),
      value: 0,
    });
    test.end();
  });

  it('remove_untouched_page', () => {
    const test = new Selftest(preset);
    const page = test.encl.layout.data + 1;
    expect(test.trim(page, 1)).toEqual(done(PAGE_BYTES));
    expect(test.call(eaccept(page, Expected.TRIMMED))).toEqual(exited(0));
    expect(test.remove(page, 1)).toEqual(done(PAGE_BYTES));
    test.end();
  });

  it('an entry through a page that is no TCS faults at EENTER', () => {
    const test = new Selftest(preset);
    const page = test.encl.layout.data;
    const address = test.encl.address(page);
    const fault = { function: 'EENTER', vector: 14, code: 0x8005, address, value: 0 };
    expect(test.call(nop(), page)).toEqual(fault);
    test.end();
  });
});
