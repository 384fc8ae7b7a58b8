import type { NodeId } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import { NodeWalk } from '../../src/recipes.js';

/**
 * The walk of Linux 5.13 to 6.11: gives up when it comes back to the node of the caller's CPU.
 *
 * That node need not have EPC. Then the walk never meets it again and, with all pools empty, never ends: a soft
 * lockup in the allocator (B-30, repaired in 6.12 by commit 9c9368440104).
 */
export class OldNodeWalk extends NodeWalk {
  protected override next(current: NodeId, start: NodeId, node: NodeId): NodeId {
    const next = this.order.next(current, start, node);
    const wrapped = next === NONE ? start : next;
    return wrapped === current ? NONE : wrapped;
  }
}
