import type { Routine } from '@epckit/interface';
import { InvariantViolation, SgxCode } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { OversubRecipes, VmPage } from '@epckit/vepc';
import { Guest, sourceOf } from '../../../vepc/test/oversub/guest.js';
import { GuestStack } from '../../../vepc/test/oversub/guest-stack.js';
import type { GuestVm } from '../../../vepc/test/oversub/guest-vm.js';
import type { Case, World } from '../../src/index.js';

/** What two VMs beside two reclaimers are made of. */
export interface VmsOptions {
  /** Free pages of the EPC in the beginning. Default: 0. */
  readonly freePages?: number;
  /** Has the first VM a second enclave, whose SECS is where the child of the first one is, and vice versa? */
  readonly isCrossed?: boolean;
  /** Steps of host reclaim to replace. */
  readonly recipes?: OversubRecipes;
}

/** An enclave of a guest: its SECS in one EPC section, its only child in another one. */
export interface SplitEnclave {
  readonly secs: VmPage;
  readonly child: VmPage;
  readonly number: number;
}

/** A VM on one CPU whose guest has enclaves across two EPC sections. */
export class SplitVm {
  readonly guest: Guest;
  readonly enclaves: readonly SplitEnclave[];
  readonly #stack: GuestStack;
  readonly #cpu: number;

  constructor(stack: GuestStack, vm: GuestVm, cpu: number, isCrossed: boolean) {
    this.#stack = stack;
    this.#cpu = cpu;
    this.guest = new Guest(stack, vm);
    const pages = isCrossed ? [0, 1] : [0];
    const sections = [stack.section(pages.length, vm), stack.section(pages.length, vm)] as const;
    this.enclaves = pages.map((page) => ({
      secs: { vepc: sections[page as 0 | 1], page },
      child: { vepc: sections[(1 - page) as 0 | 1], page },
      number: 2 * cpu + page,
    }));
    for (const enclave of this.enclaves) stack.run(this.#build(enclave), cpu);
  }

  /** Thread of the only virtual CPU. */
  get thread(): MachineThread {
    return this.#stack.thread(this.#cpu);
  }

  /** An enclave of the VM. */
  enclave(index = 0): SplitEnclave {
    return this.enclaves[index] as SplitEnclave;
  }

  /** The guest reads its child. @returns what it sees besides what it would see on a bare machine */
  *read({ secs, child, number }: SplitEnclave): Routine<string[]> {
    const seen = yield* this.guest.read(this.thread, child, secs, sourceOf(number).basePage);
    return seen === `0: 2 3 false ${100 + number}` ? [] : [`read gives ${seen}`];
  }

  /** The guest tries to remove a SECS that has a child. */
  *remove({ secs }: SplitEnclave): Routine<string[]> {
    const seen = yield* this.guest.eremove(this.thread, secs);
    return seen === SgxCode.CHILD_PRESENT ? [] : [`EREMOVE gives ${seen}`];
  }

  /** States of SECS and child of each enclave. */
  get state(): string {
    return this.enclaves
      .map(({ secs, child }) => `${this.#stack.state(secs)}${this.#stack.state(child)}`)
      .join(' ');
  }

  *#build({ secs, child, number }: SplitEnclave): Routine<void> {
    const { thread, guest } = this;
    const source = sourceOf(number);
    const created = yield* guest.ecreate(thread, secs, source);
    const added = yield* guest.eadd(thread, child, secs, source.basePage, undefined, 100 + number);
    if (created !== 0 || added !== 0) throw new Error(`the guest's leaves failed: ${created} ${added}`);
  }
}

/** Two VMs on CPUs 0 and 1, and reclaimers on CPUs 2 and 3. */
export class Vms {
  readonly stack: GuestStack;
  readonly vms: readonly [SplitVm, SplitVm];
  /** States of SECS and child pages when they were judged. */
  state = '';
  /** What a guest has seen that it would not see on a bare machine. */
  readonly seen: string[] = [];
  readonly #epcPages: number;

  constructor({ freePages = 0, isCrossed = false, recipes = {} }: VmsOptions = {}) {
    // Four version arrays, SECS and child of each enclave.
    this.#epcPages = 4 + (isCrossed ? 6 : 4) + freePages;
    const options = { cpus: 3, batchPages: 1, checking: true, recipes };
    this.stack = new GuestStack({ ...options, epcPages: this.#epcPages });
    const { stack } = this;
    const other = stack.addVm();
    for (const cpu of [1, 2]) stack.vm.mm.unload(cpu);
    other.mm.load(1);
    this.vms = [new SplitVm(stack, stack.vm, 0, isCrossed), new SplitVm(stack, other, 1, false)];
  }

  /** A batch of so many pages that are first on the list, young or not. */
  batch(cpu: number, maxPages = 1): Routine<unknown> {
    const request = { target: 0, maxPages, isAgeIgnored: true, lookedAt: 0, evicted: 0 };
    return this.stack.reclaimer.batch(this.stack.thread(cpu), request);
  }

  /** The child of the second VM is out, so there is a free page more. */
  withoutChild(): void {
    if (this.stack.evict(this.vms[1].enclave().child) !== 0) throw new Error('The child stays.');
  }

  /** The guest of a VM reads the child of an enclave. */
  *read(vm: 0 | 1, index = 0): Routine<void> {
    this.seen.push(...(yield* this.vms[vm].read(this.vms[vm].enclave(index))));
  }

  /** The guest of a VM tries to remove the SECS of an enclave. */
  *remove(vm: 0 | 1, index = 0): Routine<void> {
    this.seen.push(...(yield* this.vms[vm].remove(this.vms[vm].enclave(index))));
  }

  /** Violations at rest; then everything goes out and comes back, and the end gives all pages back. */
  judge(): string[] {
    const { stack } = this;
    this.state = this.vms.map((vm) => vm.state).join(' | ');
    const found = stack.violations();
    const left = stack.evictAll();
    if (left > 0) found.push(`${left} pages stay`);
    for (const [vm, { enclaves }] of this.vms.entries()) {
      for (const index of enclaves.keys()) {
        stack.run(this.read(vm as 0 | 1, index), vm);
        stack.run(this.remove(vm as 0 | 1, index), vm);
      }
    }
    stack.end();
    found.push(...this.seen, ...stack.violations());
    if (stack.pools.free !== this.#epcPages) found.push(`${stack.pools.free} pages are free in the end`);
    return found;
  }
}

/** What one CPU does. */
export interface VmThread {
  readonly cpu: number;
  readonly routine: Routine<unknown>;
}

/** Two VMs as something to search. */
export function vmsCase(name: string, options: VmsOptions, threads: (vms: Vms) => readonly VmThread[]): Case {
  return {
    name,
    setup: (): World => {
      const vms = new Vms(options);
      const { machine, hardware } = vms.stack;
      for (const { cpu, routine } of threads(vms)) machine.start(vms.stack.thread(cpu), routine);
      machine.overlaps = hardware.overlaps;
      return {
        machine,
        state: () => vms.state,
        checkStep: () => vms.stack.checkStep(),
        check: () => {
          machine.overlaps = null;
          const found = vms.judge();
          if (found.length > 0) throw new InvariantViolation(found[0] as string, found);
        },
      };
    },
  };
}
