// biome-ignore-all lint/correctness/useYield: what a test scripts stops nowhere
import { createFrameTable } from '@epckit/frames';
import type { PagePool, Routine, Thread } from '@epckit/interface';
import { FrameFlag, NONE } from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import type { DaemonOptions } from '../src/index.js';
import {
  createNodeReclaimLists,
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '../src/index.js';
import { Batch, PoisonAwareLists } from '../src/recipes.js';
import { ScriptedOwner } from './scripted-owner.js';

/** Pages of a pool, whose counts a test sets. */
class CountedPool implements Pick<PagePool, 'give' | 'freeCount' | 'freeReading' | 'freeReadingOn'> {
  readonly freeReading = 0;
  readonly ofNode = [0, 0];
  readonly given: number[] = [];
  readonly nodeOf: (page: number) => number;

  constructor(nodeOf: (page: number) => number) {
    this.nodeOf = nodeOf;
  }

  freeReadingOn(): number {
    return 0;
  }

  freeCount(_thread: Thread, node = NONE): number {
    return node === NONE ? this.ofNode.reduce((sum, count) => sum + count, 0) : (this.ofNode[node] as number);
  }

  *give(_thread: Thread, page: number): Routine<void> {
    this.given.push(page);
    (this.ofNode[this.nodeOf(page)] as number)++;
  }
}

/** Two nodes of 8 pages; two daemons. */
function setUp(watched: 'all' | 'perNode', low = 2, high = 8) {
  const machine = createMachine({ cpus: [{ node: 1 }, { node: 0 }, { node: 1 }] });
  const task = machine.createThread({ name: 'task', cpu: 0 });
  const threads = [0, 1].map((index) =>
    machine.createThread({ name: `ksgxd${index}`, cpu: index + 1, isKernel: true }),
  );
  const sections = [0, 1].map((node) => ({ node, pageCount: 8 }));
  const frames = createFrameTable({ sections }, { objects: machine.objects, monitor: null });
  const log: string[] = [];
  const owner = new ScriptedOwner(frames, []);
  const owners = createOwnerRegistry();
  owners.register(owner);
  const parts = { frames, locks: machine, owners, probe: null };
  const lists =
    watched === 'all'
      ? createReclaimLists({ ...parts, policy: secondChance()({ frames }) })
      : createNodeReclaimLists({ ...parts, createPolicy: secondChance() });
  const pool = new CountedPool((page) => frames.node(page));
  const probe = {
    reclaimVerdict: () => {},
    batchEnded: (thread: number, isolated: number) => void log.push(`${thread - task.id}: batch ${isolated}`),
    daemonWoken: (_: number, daemon: number) => void log.push(`${daemon - task.id}: woken`),
    daemonRuns: () => {},
  } as never;
  const batchParts = { frames, lists, owners, pool: pool as never as PagePool, charge: null, probe };
  const daemons = threads.map(
    ({ id }, node): DaemonOptions => (watched === 'all' ? { thread: id } : { thread: id, node }),
  );
  const reclaimer = createReclaimer(
    { batchPages: 2, daemons },
    {
      ...batchParts,
      batch: new Batch(batchParts),
      wake: watermarks({ low, high, nodeCount: 2 }),
      locks: machine,
    },
  );
  const start = () => {
    for (const thread of threads) machine.start(thread, reclaimer.main(thread, nothing()));
    machine.runKernelThreads();
  };
  const mark = (...pages: number[]) => {
    for (const page of pages) {
      frames.setOwner(page, owner.kind, 1, page);
      machine.run(task, lists.mark(task, page));
    }
  };
  const wake = (node: number) => {
    const low = machine.run(task, isLow(node));
    if (low) machine.run(task, reclaimer.wakeIfUseful(task, node));
    machine.runKernelThreads();
    return low;
  };
  function* isLow(node: number): Routine<boolean> {
    return reclaimer.isLow(task, node);
  }
  return { machine, task, threads, frames, lists, pool, reclaimer, log, start, mark, wake };
}

function* nothing(): Routine<void> {}

describe('two daemons of the whole machine', () => {
  it('share the work until the high mark is reached', () => {
    const { start, mark, pool, log, reclaimer, threads } = setUp('all');
    mark(...Array(16).keys());
    start();
    expect(pool.given).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(reclaimer.daemons).toEqual(threads.map(({ id }) => id));
    // The direct world runs one after the other.
    expect(log).toEqual(['1: batch 2', '1: batch 2', '1: batch 2', '1: batch 2']);
  });

  it('are woken together, whichever node is asked about', () => {
    const { start, mark, pool, wake, log } = setUp('all');
    mark(...Array(16).keys());
    start();
    log.length = 0;
    pool.ofNode[0] = 1;
    pool.ofNode[1] = 0;
    expect(wake(1)).toBe(true);
    expect(log.slice(0, 2)).toEqual(['1: woken', '2: woken']);
  });
});

describe('a daemon per node', () => {
  it('reclaims pages of its node up to its part of the mark', () => {
    const { start, mark, pool, log } = setUp('perNode');
    mark(...Array(16).keys());
    start();
    expect(pool.given).toEqual([0, 1, 2, 3, 8, 9, 10, 11]);
    expect(log).toEqual(['1: batch 2', '1: batch 2', '2: batch 2', '2: batch 2']);
  });

  it('is woken for its node alone', () => {
    const { start, mark, pool, wake, log } = setUp('perNode');
    mark(...Array(16).keys());
    start();
    log.length = 0;
    pool.ofNode[1] = 1;
    expect([wake(0), wake(1)]).toEqual([false, false]);
    pool.ofNode[1] = 0;
    expect(wake(1)).toBe(true);
    expect(log).toEqual(['2: woken', '2: batch 2', '2: batch 2']);
  });

  it('sleeps when its node has nothing left, whatever the others have', () => {
    const { start, mark, pool, log } = setUp('perNode');
    mark(8, 9, 10);
    pool.ofNode[1] = 4;
    start();
    expect([pool.given, log]).toEqual([[], []]);
  });

  it('and a wake-up for all nodes wakes those for all', () => {
    const { start, mark, wake, log } = setUp('perNode');
    start();
    mark(0, 8);
    expect(wake(NONE)).toBe(true);
    expect(log).toEqual(['1: woken', '2: woken', '1: batch 1', '2: batch 1']);
  });
});

describe('lists per node', () => {
  it('take a batch over everything from the own node first, then the next ones', () => {
    const { machine, task, mark, reclaimer, pool } = setUp('perNode');
    mark(0, 8, 1);
    const freed = [0, 1, 2].map(() => machine.run(task, reclaimer.batch(task)));
    expect([freed, pool.given]).toEqual([
      [1, 2, 0],
      [8, 0, 1],
    ]);
  });

  it('are walked node by node, and know when all are empty', () => {
    const { machine, task, mark, lists, frames } = setUp('perNode');
    const isEmpty = (node?: number) => machine.run(task, lists.isEmpty(task, 0, node));
    expect([lists.oldest(0), lists.after(-1), isEmpty(), isEmpty(0)]).toEqual([-1, -1, true, true]);
    mark(9, 3, 8, 1);
    const walk: number[] = [];
    for (let page = lists.oldest(0); page !== NONE; page = lists.after(page)) walk.push(page);
    expect([walk, isEmpty(), isEmpty(0), isEmpty(1)]).toEqual([[3, 1, 9, 8], false, false, false]);
    for (const page of [3, 1]) expect(machine.run(task, lists.unmark(task, page))).toBe(0);
    expect([isEmpty(), isEmpty(0), isEmpty(1), frames.flags(9)]).toEqual([
      false,
      true,
      false,
      FrameFlag.TRACKED,
    ]);
    expect(() => isEmpty(5)).toThrowError(expect.objectContaining({ code: 'EPCKIT_INVARIANT' }));
  });

  it('are of the kind that is wanted', () => {
    const { machine, task, frames } = setUp('perNode');
    const owners = createOwnerRegistry();
    const createLists = (...parts: ConstructorParameters<typeof PoisonAwareLists>) =>
      new PoisonAwareLists(...parts);
    const parts = { frames, locks: machine, owners, probe: null, createPolicy: secondChance(), createLists };
    const lists = createNodeReclaimLists(parts);
    frames.setPoisoned(2);
    machine.run(task, lists.mark(task, 2));
    expect(machine.run(task, lists.isEmpty(task, 0))).toBe(true);
  });
});

describe('settings of daemons', () => {
  it.each<[string, DaemonOptions[]]>([
    ['none', []],
    [
      'two of one node',
      [
        { thread: 1, node: 0 },
        { thread: 2, node: 0 },
      ],
    ],
    ['one of a node and one of all', [{ thread: 1, node: 0 }, { thread: 2 }]],
  ])('%s are refused', (_, daemons) => {
    const { reclaimer } = setUp('all');
    expect(() => createReclaimer({ batchPages: 1, daemons }, partsOf(reclaimer))).toThrowError(
      expect.objectContaining({ code: 'EPCKIT_MISUSE' }),
    );
  });

  it.each([-1, 0.5, Number.NaN])('a scan of %d pages is refused', (scanPages) => {
    const { reclaimer } = setUp('all');
    const options = { batchPages: 1, daemons: [{ thread: 1 }], scanPages };
    expect(() => createReclaimer(options, partsOf(reclaimer))).toThrowError(
      expect.objectContaining({ code: 'EPCKIT_MISUSE' }),
    );
  });

  it.each([0, 1.5])('marks for %d nodes are refused', (nodeCount) => {
    expect(() => watermarks({ low: 1, high: 2, nodeCount })).toThrowError(
      expect.objectContaining({ code: 'EPCKIT_MISUSE' }),
    );
  });

  it('the marks of a node are its part, rounded up', () => {
    const wake = watermarks({ low: 3, high: 5, nodeCount: 2 });
    expect([1, 2].map((free) => wake.shouldWake(free, 1))).toEqual([true, false]);
    expect([2, 3].map((free) => wake.shouldContinue(free, 1))).toEqual([true, false]);
  });

  it('a thread that is no daemon has no main loop', () => {
    const { machine, task, reclaimer } = setUp('all');
    expect(() => machine.run(task, reclaimer.main(task, nothing()))).toThrowError(/no daemon/);
  });
});

/** Refused before anything of them is used. */
function partsOf(_: unknown): never {
  return { locks: {}, lists: {}, pool: {} } as never;
}
