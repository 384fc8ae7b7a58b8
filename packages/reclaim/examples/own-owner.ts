// biome-ignore-all lint/correctness/useYield: this owner has nothing to wait for
import { createFrameTable } from '@epckit/frames';
import type { PageIndex, PageOwner, PagePool, Routine } from '@epckit/interface';
import { Blocked, Killed, Pin, Prepared, Written } from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import {
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '@epckit/reclaim';
import { Batch } from '@epckit/reclaim/recipes';

/** Lines that the example prints. */
export const output: string[] = [];

const OWN_KIND = 8;
const machine = createMachine({ cpus: [{ node: 0 }] });
const { objects } = machine;
const frames = createFrameTable({ sections: [{ node: 0, pageCount: 8 }] }, { objects, monitor: null });

// An owner written outside of epckit. Page 1 was used since the last look, the others were not.
const recentlyUsed = new Set<PageIndex>([1]);
const owner: PageOwner = {
  kind: OWN_KIND,
  pinAt: () => 0,
  get: () => Pin.PINNED,
  *young(_thread, page): Routine<boolean> {
    return recentlyUsed.delete(page);
  },
  *prepare(): Routine<typeof Prepared.READY> {
    return Prepared.READY;
  },
  *block(_thread, page): Routine<typeof Blocked.OK> {
    output.push(`block ${page}`);
    return Blocked.OK;
  },
  *write(_thread, page): Routine<typeof Written.FREED> {
    output.push(`write ${page}`);
    return Written.FREED;
  },
  putAt: () => 0,
  put: () => false,
  *release(): Routine<void> {},
  *kill(): Routine<typeof Killed.ALREADY_DYING> {
    return Killed.ALREADY_DYING;
  },
};

// A pool needs no more than this; the real ones are in @epckit/numa.
const free: PageIndex[] = [];
const pool: Pick<PagePool, 'give' | 'freeCount' | 'freeReading'> = {
  freeReading: 0,
  freeCount: () => free.length,
  *give(_thread, page): Routine<void> {
    free.push(page);
  },
};

const thread = machine.createThread({ name: 'task', cpu: 0 });
const owners = createOwnerRegistry();
owners.register(owner);
const lists = createReclaimLists({
  frames,
  locks: machine,
  owners,
  policy: secondChance()({ frames }),
  probe: null,
});
const parts = { lists, pool: pool as PagePool, probe: null };
const batch = new Batch({ ...parts, frames, owners, charge: null });
const reclaimer = createReclaimer(
  { batchPages: 16, daemons: [{ thread: thread.id }] },
  { ...parts, batch, wake: watermarks({ low: 32, high: 64 }), locks: machine },
);

for (const page of [0, 1, 2]) {
  frames.setOwner(page, OWN_KIND, 1, page);
  machine.run(thread, lists.mark(thread, page));
}
output.push(`evicted ${machine.run(thread, reclaimer.batch(thread))}, oldest left ${lists.oldest(0)}`);
output.push(`evicted ${machine.run(thread, reclaimer.batch(thread))}, free ${free.join(' ')}`);

for (const line of output) console.log(line);
