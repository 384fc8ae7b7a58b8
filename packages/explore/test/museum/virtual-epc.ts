// biome-ignore-all lint/correctness/useYield: a controller that does nothing stops nowhere
import { checkFrames } from '@epckit/frames';
import { checkEpcm } from '@epckit/hardware';
import type { ChargeController, Routine, SecsSource } from '@epckit/interface';
import { InvariantViolation, NONE, PageType, Prot, SecInfo } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { checkPools } from '@epckit/numa';
import type { Vepc, VepcAddress, VepcDriver, VepcDriverRecipes, VepcFailures } from '@epckit/vepc';
import { checkVepc, VepcFaultResult } from '@epckit/vepc';
import type { Epc, Process } from 'epckit';
import { createEpc, linux6 } from 'epckit';
import type { Case, World } from '../../src/index.js';

/** What a stack of guests is made of. */
export interface GuestsOptions {
  readonly epcPages: number;
  readonly cpus: number;
  readonly recipes?: VepcDriverRecipes;
  readonly failures?: VepcFailures | null;
  /** Composes with a controller that charges nothing: then instances can be killed. Default: false. */
  readonly hasController?: boolean;
}

/** A range of 16 pages of a 64-bit enclave. */
const SOURCE: SecsSource = { basePage: 0x1000, pageCount: 16, attributes: 4, ssaFrameSize: 1 };

/** A controller that limits nobody. */
const freeOfCharge: ChargeController = {
  *charge(): Routine<number> {
    return 0;
  },
  *cancel(): Routine<void> {},
  *assign(): Routine<void> {},
  *uncharge(): Routine<void> {},
  *reclaimDirect(): Routine<void> {},
  refusedBy: () => NONE,
};

/** A stack in the checking mode with one VMM and no native enclave; nobody wakes the daemon. */
export class Guests {
  readonly epc: Epc;
  readonly driver: VepcDriver;
  readonly #vmm: Process;

  constructor({ epcPages, cpus, recipes = {}, failures = null, hasController = false }: GuestsOptions) {
    this.epc = createEpc({
      ...linux6,
      machine: {
        cpus: Array.from({ length: cpus }, () => ({ node: 0 })),
        sections: [{ node: 0, pageCount: epcPages }],
      },
      checking: true,
      reclaim: { lowPages: 0, highPages: 0 },
      vepc: recipes,
      failures,
      charge: hasController ? freeOfCharge : null,
    });
    this.epc.boot();
    this.driver = this.epc.vepc as VepcDriver;
    this.#vmm = this.epc.createProcess('vmm');
  }

  get machine(): Machine {
    return this.epc.machine;
  }

  thread(cpu = 0): MachineThread {
    return (this.epc.cpus[cpu] as Epc['cpus'][number]).thread;
  }

  /** open, and mmap of everything by the VMM. */
  open(pageCount: number): Vepc {
    const vepc = this.driver.open(pageCount);
    if (vepc === null) throw new Error('open: ENOMEM');
    const range = { start: 0, end: pageCount, prot: Prot.R | Prot.W };
    this.#run(this.driver.mapper.map(this.thread(), this.#vmm.mm, vepc, range));
    return vepc;
  }

  /** munmap of everything, so that the file can be closed. */
  unmap(vepc: Vepc): void {
    this.#run(this.driver.mapper.unmap(this.thread(), this.#vmm.mm, vepc, 0, vepc.pageCount));
    this.#vmm.mm.forget(vepc.id);
  }

  /** munmap and last close. */
  close(vepc: Vepc): void {
    this.unmap(vepc);
    this.#run(this.driver.release(this.thread(), vepc));
  }

  /** A page fault of the VMM. */
  *fault(cpu: number, vepc: Vepc, page: number): Routine<number> {
    const { mm } = this.#vmm;
    const thread = this.thread(cpu);
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const vma = mm.table(vepc.id)?.vmaOf(page);
    const result =
      vma === undefined ? NONE : yield* this.driver.faults.fault(thread, mm, vma, vepc, page, true);
    if (result !== VepcFaultResult.RETRY) mm.lock.releaseRead(thread);
    return result;
  }

  /** An enclave with its children, wherever they are. */
  enclave(secs: VepcAddress, ...children: readonly VepcAddress[]): void {
    for (const { vepc, page } of [secs, ...children]) this.#run(this.fault(0, vepc, page));
    const { guest } = this.driver;
    const thread = this.thread();
    const secinfo = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
    const results = [
      this.#run(guest.ecreate(thread, secs, SOURCE, { vector: 0 })),
      ...children.map((child, index) =>
        this.#run(guest.eadd(thread, child, secs, SOURCE.basePage + 1 + index, secinfo)),
      ),
    ];
    if (results.some((result) => result !== 0)) throw new Error(`the guest's leaves failed: ${results}`);
  }

  /** Page of an instance as the VMM has it mapped. */
  at(vepc: Vepc, page: number): VepcAddress {
    return { mm: this.#vmm.mm, vepc, page };
  }

  /** Pages on the free list, head to tail. */
  free(): number[] {
    const { frames, pools } = this.epc;
    const pages: number[] = [];
    for (let page = frames.first(pools.lists.free(0)); page !== NONE; page = frames.next(page)) {
      pages.push(page);
    }
    return pages;
  }

  /** Broken invariants of every table, in words. */
  violations(): string[] {
    const { frames, hardware, pools } = this.epc;
    return [
      ...checkVepc(this.driver, frames, hardware).map(({ rule, message }) => `${rule} ${message}`),
      ...checkFrames(frames).map(({ page, problem }) => `frame ${page}: ${problem}`),
      ...checkPools(pools, frames),
      ...checkEpcm(hardware).map(({ page, message }) => `EPCM ${page}: ${message}`),
    ];
  }

  #run<T>(routine: Routine<T>): T {
    return this.machine.run(this.thread(), routine);
  }
}

/** Guests whose threads are to run, and what their final state must be. */
export interface GuestProgram {
  readonly guests: Guests;
  /** One routine per CPU. */
  readonly routines: readonly Routine<unknown>[];
  /** Digest of the final state. */
  state(): string;
  /** What is wrong in the end, besides the invariants. */
  wrong?(): string[];
}

/** A program as something to search. */
export function guestCase(name: string, build: () => GuestProgram): Case {
  return {
    name,
    setup: (): World => {
      const { guests, routines, state, wrong } = build();
      routines.forEach((routine, cpu) => {
        guests.machine.start(guests.thread(cpu), routine);
      });
      return {
        machine: guests.machine,
        state,
        check: () => {
          const found = [...guests.violations(), ...(wrong?.() ?? [])];
          if (found.length > 0) throw new InvariantViolation(found[0] as string, found);
        },
      };
    },
  };
}
