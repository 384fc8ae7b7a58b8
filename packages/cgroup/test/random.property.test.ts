import type { GroupId } from '@epckit/interface';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CgroupErrno, Resource } from '../src/index.js';
import { M, PAGE, Stack } from './stack.js';

const CAPACITY_PAGES = 24;
const PIDS = [11, 12, 13];

/** What a simple list of charges says: no counters, everything is summed up anew. */
class Oracle {
  readonly parents = new Map<GroupId, GroupId>([[0, -1]]);
  readonly limits = new Map<GroupId, number>();
  readonly peaks = new Map<GroupId, number>([[0, 0]]);
  readonly events = new Map<GroupId, number>();
  readonly local = new Map<GroupId, number>();
  charges: { readonly group: GroupId; readonly bytes: number }[] = [];

  ancestors(group: GroupId): GroupId[] {
    const path = [];
    for (let at = group; at !== -1; at = this.parents.get(at) as GroupId) path.push(at);
    return path;
  }

  usage(group: GroupId): number {
    return this.charges
      .filter((charge) => this.ancestors(charge.group).includes(group))
      .reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** @returns group that refuses, or -1 */
  charge(group: GroupId, bytes: number): GroupId {
    for (const at of bytes === 0 ? [] : this.ancestors(group)) {
      const next = this.usage(at) + bytes;
      if (next > (this.limits.get(at) ?? Infinity) || next > CAPACITY_PAGES * PAGE) {
        this.local.set(at, (this.local.get(at) ?? 0) + 1);
        for (const above of this.ancestors(at)) {
          if (above !== 0) this.events.set(above, (this.events.get(above) ?? 0) + 1);
        }
        return at;
      }
      this.peaks.set(at, Math.max(this.peaks.get(at) ?? 0, next));
    }
    this.charges.push({ group, bytes });
    return -1;
  }
}

const which = fc.nat(9);
const command = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('mkdir' as const), at: which, name: fc.constantFrom('a', 'b') }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('rmdir' as const), at: which }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('limit' as const), at: which, bytes: fc.nat(12 * PAGE) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unlimit' as const), at: which }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('move' as const), at: which, pid: fc.constantFrom(...PIDS) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('switch' as const), at: which, on: fc.boolean() }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('charge' as const),
      pid: fc.constantFrom(...PIDS),
      pages: fc.nat(3),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('uncharge' as const), at: which }) },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

/** A tree under random commands beside the oracle. */
class Run {
  readonly stack = new Stack({ capacities: { sgx_epc: CAPACITY_PAGES * PAGE } });
  readonly oracle = new Oracle();
  /** How often a charge failed, a dying group was seen with a charge, and a process charged a group above. */
  readonly seen = { refused: 0, dying: 0, above: 0 };

  constructor() {
    for (const pid of PIDS) this.stack.tree.addProcess(pid);
    this.stack.write('/cgroup.subtree_control', '+misc');
  }

  step(it: Command): void {
    const { stack } = this;
    if (it.do === 'charge') this.#charge(it.pid, it.pages);
    else if (it.do === 'uncharge') this.#uncharge(it.at);
    else if (it.do === 'mkdir') stack.mkdir(`${this.#path(it.at)}/${it.name}`);
    else if (it.do === 'rmdir') stack.rmdir(this.#path(it.at));
    else if (it.do === 'move') stack.write(`${this.#path(it.at)}/cgroup.procs`, `${it.pid}`);
    else if (it.do === 'switch')
      stack.write(`${this.#path(it.at)}/cgroup.subtree_control`, it.on ? '+misc' : '-misc');
    else this.#limit(it.at, it.do === 'limit' ? it.bytes : undefined);
    this.#learnGroups();
  }

  check(): void {
    const { controller } = this.stack;
    for (const group of controller.groups()) {
      const { max } = group.counters(Resource.SGX_EPC);
      expect({ id: group.id, ...this.stack.counters(group.id) }).toEqual({
        id: group.id,
        usage: this.oracle.usage(group.id),
        peak: this.oracle.peaks.get(group.id) ?? 0,
        events: this.oracle.events.get(group.id) ?? 0,
        local: this.oracle.local.get(group.id) ?? 0,
      });
      expect(max.exact).toBe(BigInt(this.oracle.limits.get(group.id) ?? 2n ** 64n - 1n));
      if (!group.isOnline && this.oracle.usage(group.id) > 0) this.seen.dying++;
    }
    expect(this.stack.violations()).toEqual([]);
  }

  /** Everybody gives everything back and every directory goes. */
  end(): void {
    while (this.oracle.charges.length > 0) this.#uncharge(0);
    for (const pid of PIDS) this.stack.write('/cgroup.procs', `${pid}`);
    for (const path of this.#paths().reverse()) if (path !== '') expect(this.stack.rmdir(path)).toBe(0);
    expect(this.stack.controller.groups().map(({ id }) => id)).toEqual([0]);
    expect(this.stack.read('/misc.current')).toBe('sgx_epc 0\n');
  }

  #charge(pid: number, pages: number): void {
    const { stack, oracle } = this;
    const { processes } = stack.tree;
    processes.setCurrent(stack.thread(), pid);
    const group = stack.run(processes.getCurrent(stack.thread()));
    const directory = processes.get(pid)?.directory;
    if (directory?.group === null) this.seen.above++;
    const refusing = oracle.charge(group, pages * PAGE);
    expect(stack.charge(group, pages)).toBe(refusing < 0 ? 0 : -CgroupErrno.EBUSY);
    expect(stack.refusal.group).toBe(refusing);
    if (refusing < 0) return;
    this.seen.refused++;
    stack.run(stack.controller.put(stack.thread(), group));
  }

  #uncharge(at: number): void {
    const { stack, oracle } = this;
    const [charge] = oracle.charges.splice(at % Math.max(1, oracle.charges.length), 1);
    if (charge === undefined) return;
    stack.uncharge(charge.group, charge.bytes / PAGE);
    stack.run(stack.controller.put(stack.thread(), charge.group));
  }

  /** Writes a limit; lowering changes nothing but the limit. */
  #limit(at: number, bytes: number | undefined): void {
    const path = this.#path(at);
    const before = this.stack.tree.files.peek(`${M}${path}/misc.current`);
    const written = this.stack.write(`${path}/misc.max`, `sgx_epc ${bytes ?? 'max'}`);
    expect(this.stack.tree.files.peek(`${M}${path}/misc.current`)).toBe(before);
    if (written < 0) return;
    if (bytes === undefined) this.oracle.limits.delete(this.stack.id(path));
    else this.oracle.limits.set(this.stack.id(path), bytes);
  }

  #learnGroups(): void {
    for (const { id, parent } of this.stack.controller.groups()) {
      if (parent !== null) this.oracle.parents.set(id, parent.id);
    }
  }

  #path(at: number): string {
    const paths = this.#paths();
    return paths[at % paths.length] as string;
  }

  #paths(): string[] {
    return [...this.stack.tree.root.subtree()].map(({ path }) => (path === '/' ? '' : path));
  }
}

it('counters of random trees are what the list of charges says, dying groups included', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 10, maxLength: 80 }), (commands) => {
      const run = new Run();
      for (const it of commands) {
        run.step(it);
        run.check();
      }
      run.end();
    }),
    { numRuns: 120 },
  );
});

it('a long random run meets refusals, dying groups with charges and processes without a group of their own', () => {
  const run = new Run();
  for (const it of fc.sample(command, { seed: 3, numRuns: 1500 })) {
    run.step(it);
    run.check();
  }
  run.end();
  expect(run.seen.refused).toBeGreaterThan(50);
  expect(run.seen.dying).toBeGreaterThan(20);
  expect(run.seen.above).toBeGreaterThan(5);
});
