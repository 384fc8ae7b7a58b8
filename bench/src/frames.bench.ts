/**
 * Times the frame table of 4 Mi pages (16 GiB of EPC): creation, all pages on one list, and list operations.
 *
 *     npx pnpm bench frames
 */
import { createFrameTable } from '@epckit/frames';
import { createMachine } from '@epckit/machine';

const PAGE_COUNT = 4 << 20;

function time(name: string, pageCount: number, work: () => void): void {
  const start = performance.now();
  work();
  const ms = performance.now() - start;
  console.log(`${name.padEnd(24)} ${ms.toFixed(1)} ms  ${((ms * 1e6) / pageCount).toFixed(1)} ns per page`);
}

const { objects } = createMachine({ cpus: [{ node: 0 }] });
const sections = [{ node: 0, pageCount: PAGE_COUNT }];
time('createFrameTable', PAGE_COUNT, () => createFrameTable({ sections }, { objects, monitor: null }));

const frames = createFrameTable({ sections }, { objects, monitor: null });
const dirty = frames.createList('dirty');
const free = frames.createList('free');
time('appendAll', PAGE_COUNT, () => frames.appendAll(dirty));
for (const round of [1, 2, 3]) {
  time(`unlink + append, round ${round}`, PAGE_COUNT, () => {
    const to = round % 2 === 1 ? free : dirty;
    const from = round % 2 === 1 ? dirty : free;
    for (let page = frames.first(from); page >= 0; page = frames.first(from)) {
      frames.unlink(page);
      frames.append(to, page);
    }
  });
}
time('spliceToHead', PAGE_COUNT, () => frames.spliceToHead(free, dirty));
