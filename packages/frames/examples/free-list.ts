import { createFrameTable } from '@epckit/frames';
import { FrameFlag, OwnerKind } from '@epckit/interface';

/** Lines that the example prints. */
export const output: string[] = [];

// Object numbers are names for the checking mode; a machine gives them out, here a counter does.
let nextObject = 1;
const objects = {
  range: (_kind: string, count: number) => {
    nextObject += count;
    return nextObject - count;
  },
  nameOf: (object: number) => `object ${object}`,
};

const frames = createFrameTable({ sections: [{ node: 0, pageCount: 4 }] }, { objects, monitor: null });
const free = frames.createList('free');
frames.appendAll(free);

// Take the head and give it to an owner.
const page = frames.first(free);
frames.unlink(page);
frames.setOwner(page, OwnerKind.NATIVE, 1, 0);
output.push(`taken ${page}`);

// Give it back at the tail: first in, first out.
frames.setOwner(page, OwnerKind.NONE, 0, 0);
frames.append(free, page);
frames.setFlags(page, FrameFlag.IS_FREE);
const order: number[] = [];
for (let at = frames.first(free); at >= 0; at = frames.next(at)) order.push(at);
output.push(`free ${order.join(' ')}`);

// A page is on one list at most.
try {
  frames.append(free, page);
} catch (error) {
  output.push((error as Error).message);
}

for (const line of output) console.log(line);
