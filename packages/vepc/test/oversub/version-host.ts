import type { LeafResult, PageIndex, SgxHardware } from '@epckit/interface';
import type { Vepc, VersionStore, VersionTree } from '../../src/index.js';
import { VepcFaultResult } from '../../src/index.js';
import { Guest } from './guest.js';
import type { GuestStackOptions } from './guest-stack.js';
import { GuestStack } from './guest-stack.js';

/** Pages of the section: with two slots per version array page 8, 4, 2 and 1 of these. */
const PAGES = 16;

/** Leaves whose results a test can choose. */
export type PlannedLeaf = 'epa' | 'ewb' | 'elduc';

/**
 * A host whose version array pages have two slots each, and a guest with one section full of pages that go out alone.
 * `hog` takes what is free, so that EPC is wanting.
 */
export class VersionHost {
  readonly stack: GuestStack;
  readonly vepc: Vepc;
  /** Results to give instead of executing a leaf on a version array page of the host. */
  readonly planned = new Map<PlannedLeaf, LeafResult[]>();
  readonly #hogged: PageIndex[] = [];

  constructor(options: GuestStackOptions = {}, pages = PAGES) {
    this.stack = new GuestStack({ versionSlots: 2, ...options, leaves: (real) => this.#leaves(real) });
    this.vepc = this.stack.section(Math.max(pages, 1));
    const guest = new Guest(this.stack);
    for (let page = 0; page < pages; page++) {
      this.stack.run(guest.epa(this.stack.thread(), { vepc: this.vepc, page }));
    }
  }

  get tree(): VersionTree {
    return (this.stack.instance(this.vepc).versionStore as VersionStore).tree;
  }

  /** Evicts a page of the guest. */
  evict(page: number): number {
    return this.stack.evict({ vepc: this.vepc, page });
  }

  /** Evicts all pages, and leaves none free after each. @returns what was not evicted */
  evictAll(count = this.vepc.pageCount): number[] {
    const left: number[] = [];
    for (let page = 0; page < count; page++) {
      if (this.evict(page) !== 0) left.push(page);
      this.hog();
    }
    return left;
  }

  /** The guest touches a page. @returns does it have it then? */
  touch(page: number): boolean {
    const { stack, vepc } = this;
    const result = stack.run(stack.oversub.violation(stack.thread(), stack.mm, vepc, page));
    return result === VepcFaultResult.NOPAGE && vepc.pages.get(page) >= 0;
  }

  /** Takes all free pages. */
  hog(): void {
    const { stack } = this;
    for (let page = stack.run(stack.pools.take(stack.thread())); page >= 0; ) {
      this.#hogged.push(page);
      page = stack.run(stack.pools.take(stack.thread()));
    }
  }

  /** Gives back some of them, or all. */
  unhog(count = this.#hogged.length): void {
    const { stack } = this;
    for (const page of this.#hogged.splice(0, count)) stack.run(stack.pools.give(stack.thread(), page));
  }

  /** What is wrong, but for pages that the test has taken. */
  violations(): string[] {
    const taken = new Set(this.#hogged.map(String));
    return this.stack
      .violations()
      .filter((line) => !/^frame (\d+)/.test(line) || !taken.has(line.split(/ |:/)[1] ?? ''));
  }

  #leaves(real: SgxHardware): Partial<SgxHardware> {
    const replace = (leaf: PlannedLeaf) =>
      ((...operands: never[]) => {
        const isOfHost = this.stack.frames.record(operands[1] as unknown as number) < -1;
        const result = isOfHost ? this.planned.get(leaf)?.shift() : undefined;
        return result ?? Reflect.apply(real[leaf], real, operands);
      }) as never;
    return { epa: replace('epa'), ewb: replace('ewb'), elduc: replace('elduc') };
  }
}
