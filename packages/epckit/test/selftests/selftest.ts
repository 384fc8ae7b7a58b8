import type { Routine } from '@epckit/interface';
import { PageType } from '@epckit/interface';
import { expect } from 'vitest';
import type { Epc, EpcOptions, Preset, UserCpu } from '../../src/index.js';
import { createEpc } from '../../src/index.js';
import type { Code } from './enclave-code.js';
import type { EnclaveThread, Run, UserHandler } from './enclave-thread.js';
import { brokenInvariants } from './invariants.js';
import type { IoctlResult } from './test-enclave.js';
import { TestEnclave } from './test-enclave.js';

/** Pages of the EPC unless a test says something else. */
export const EPC_PAGES = 128;

/** A call without an exception. */
export function exited(value: number): Run {
  return { function: 'EEXIT', vector: 0, code: 0, address: 0, value };
}

/** An ioctl that has done everything. */
export function done(bytes: number): IoctlResult {
  return { errno: 0, result: 0, count: bytes };
}

/** A booted stack. */
export function bootedStack(preset: Preset, options: Partial<EpcOptions> = {}): Epc {
  const machine = {
    cpus: [{ node: 0 }, { node: 0 }],
    sections: [
      { node: 0, pageCount: EPC_PAGES / 2 },
      { node: 0, pageCount: EPC_PAGES / 2 },
    ],
  };
  const epc = createEpc({ ...preset, machine, ...options });
  epc.boot();
  return epc;
}

/**
 * One test of `tools/testing/selftests/sgx/main.c`: its enclave, and a single thread that does one step after the
 * other. Every invariant is checked after every step.
 */
export class Selftest {
  readonly epc: Epc;
  readonly encl: TestEnclave;
  readonly #cpu: UserCpu;
  readonly #thread: EnclaveThread;

  constructor(preset: Preset, heapPages = 1, options: Partial<EpcOptions> = {}) {
    this.epc = bootedStack(preset, options);
    this.#cpu = this.epc.cpus[0] as UserCpu;
    this.encl = new TestEnclave(this.epc, 'test_sgx', heapPages);
    this.#thread = this.encl.thread(this.#cpu);
    this.#step(this.encl.build(this.#cpu));
  }

  /** Calls the enclave (`ENCL_CALL`), by default through the first TCS and without a user handler. */
  call(code: Code, tcs = 0, handler: UserHandler = () => 0): Run {
    return this.#step(this.#thread.enter(tcs, code, handler));
  }

  /** Calls the vDSO with ERESUME. */
  resume(tcs = 0): Run {
    return this.#step(this.#thread.resume(tcs));
  }

  map(page: number, count: number, prot: number): void {
    this.#step(this.encl.map(this.#cpu, page, count, prot));
  }

  protect(page: number, count: number, prot: number): void {
    this.#step(this.encl.protect(this.#cpu, page, count, prot));
  }

  restrict(page: number, count: number, permissions: number): IoctlResult {
    return this.#step(this.encl.restrict(this.#cpu, page, count, permissions));
  }

  modifyTypes(page: number, count: number, type: number): IoctlResult {
    return this.#step(this.encl.modifyTypes(this.#cpu, page, count, type));
  }

  /** MODIFY_TYPES to TRIM. */
  trim(page: number, count: number): IoctlResult {
    return this.modifyTypes(page, count, PageType.TRIM);
  }

  remove(page: number, count: number): IoctlResult {
    return this.#step(this.encl.removePages(this.#cpu, page, count));
  }

  /** Any other step of the thread. */
  step<T>(routine: (cpu: UserCpu) => Routine<T>): T {
    return this.#step(routine(this.#cpu));
  }

  /** End of the test (`FIXTURE_TEARDOWN`): nothing is left of the enclave. */
  end(): void {
    this.#step(this.encl.release(this.#cpu));
    expect(this.encl.enclave.isReleased).toBe(true);
    expect(this.epc.pools.free).toBe(this.epc.frames.pageCount);
  }

  #step<T>(routine: Routine<T>): T {
    const { machine } = this.epc;
    const result = machine.run(this.#cpu.thread, routine);
    machine.returnToUser();
    expect(brokenInvariants(this.epc)).toEqual([]);
    return result;
  }
}
