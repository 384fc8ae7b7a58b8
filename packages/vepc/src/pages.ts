import type { LeafResult, PageIndex, Routine, Thread } from '@epckit/interface';
import { Cost, Leaf, SgxCode } from '@epckit/interface';
import type { VepcComponents } from './components.js';

/** EREMOVE and freeing of guest pages, whose type and state the host does not know. */
export class VepcPages {
  /** What the driver is made of. */
  protected readonly components: VepcComponents;

  constructor(components: VepcComponents) {
    this.components = components;
  }

  /** EREMOVE whatever the page is (Linux `sgx_vepc_remove_page`): a guest cannot be trusted to have done it. */
  *remove(thread: Thread, page: PageIndex): Routine<LeafResult> {
    const { hardware } = this.components;
    if (thread.spend(Cost.EREMOVE) > thread.limit) {
      yield hardware.leafAt(page, thread.cpu, Leaf.EREMOVE);
    }
    return hardware.eremove(thread.cpu, page);
  }

  /**
   * EREMOVE, then free (Linux `sgx_vepc_free_page`). A page that EREMOVE refuses stays allocated; any reason but
   * children of a SECS is a warning.
   */
  *free(thread: Thread, page: PageIndex): Routine<LeafResult> {
    const result = yield* this.remove(thread, page);
    if (result === SgxCode.SUCCESS) yield* this.components.allocator.free(thread, page);
    else if (result !== SgxCode.CHILD_PRESENT) this.components.probe?.warned(thread.id, 'sgx_vepc_free_page');
    return result;
  }
}
