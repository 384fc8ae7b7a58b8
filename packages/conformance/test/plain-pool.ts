import type { ListId, NodeId, Op, PageIndex, PagePool, Routine, Thread } from '@epckit/interface';
import { Errno, FrameFlag, Mode, NONE, op } from '@epckit/interface';
import type { PlainFrames } from './plain-frames.js';

/** A pool of one list for all nodes, without locks; it stops at a point before it touches them. */
export class PlainPool implements PagePool {
  readonly freeReading: Op = op(1, Mode.READ);
  readonly nodes: readonly NodeId[];
  protected readonly frames: PlainFrames;
  protected readonly list: ListId;
  protected readonly poisoned: ListId;

  constructor(frames: PlainFrames) {
    this.frames = frames;
    this.list = frames.createList('free');
    this.poisoned = frames.createList('poisoned');
    frames.appendAll(this.list);
    for (let page = 0; page < frames.pageCount; page++) frames.setFlags(page, FrameFlag.IS_FREE);
    this.nodes = [...new Set(frames.sections.map(({ node }) => node))].sort((a, b) => a - b);
  }

  *take(_thread: Thread): Routine<number> {
    yield this.freeReading;
    const page = this.frames.first(this.list);
    if (page < 0) return -Errno.ENOMEM;
    this.frames.unlink(page);
    this.frames.setFlags(page, 0);
    return page;
  }

  *give(_thread: Thread, page: PageIndex): Routine<void> {
    yield this.freeReading;
    this.frames.append(this.frames.isPoisoned(page) ? this.poisoned : this.list, page);
    this.frames.setFlags(page, FrameFlag.IS_FREE);
  }

  freeReadingOn(node: NodeId): Op {
    return op(2 + node, Mode.READ);
  }

  freeCount(_thread: Thread, node: NodeId = NONE): number {
    return node === NONE ? this.free : this.freeOnNode(node);
  }

  get free(): number {
    return this.frames.length(this.list);
  }

  freeOnNode(node: NodeId): number {
    let count = 0;
    for (let page = this.frames.first(this.list); page >= 0; page = this.frames.next(page)) {
      if (this.frames.node(page) === node) count++;
    }
    return count;
  }
}
