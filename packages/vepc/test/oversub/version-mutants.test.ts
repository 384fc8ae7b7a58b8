import type { ErrnoResult, Routine, Thread } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type {
  EvictableVersionArrays,
  OversubInstance,
  OversubRecipes,
  VersionTree,
} from '../../src/index.js';
import { EvictableVersions, TreeSlots } from '../../src/recipes.js';
import { VersionHost } from './version-host.js';

/** A page leaves the EPC with the first one below it instead of the last. */
class ParentFirst extends EvictableVersions {
  protected override isUnneeded(tree: VersionTree, number: number): boolean {
    return number !== tree.shape.root && tree.page(number) !== NONE;
  }
}

/** Slots are taken from any leaf that has one free, in the EPC or not. */
class AnyLeaf extends TreeSlots {
  protected override choose(): number {
    const { shape } = this.tree;
    const all = Array.from({ length: shape.leafCount }, (_, leaf) => leaf);
    return all.find((leaf) => this.tree.isMade(leaf) && !this.tree.isFull(leaf)) ?? super.choose();
  }
}
class TakingAnywhere extends EvictableVersions {
  protected override slotsOf(tree: VersionTree): TreeSlots {
    return new AnyLeaf(tree);
  }
}

/** A page is loaded, and its leaf is not. */
class LoadingWithout extends EvictableVersions {
  override *bring(_thread: Thread, _instance: OversubInstance, _slot: number): Routine<ErrnoResult> {
    return 0;
  }
}

type Mutant = new (...made: ConstructorParameters<typeof EvictableVersions>) => EvictableVersions;

/** What is seen while everything goes out without a free page, comes back, is dropped and goes out again. */
function seen(Policy: Mutant): string[] {
  const recipes: OversubRecipes = {
    versions: (parts) => new Policy(parts, parts.oversub.versionArrays as EvictableVersionArrays),
  };
  const found: string[] = [];
  try {
    const host = new VersionHost({ recipes });
    const { stack, vepc } = host;
    found.push(...host.evictAll().map((page) => `page ${page} stays`), ...host.violations());
    host.unhog(2);
    for (let page = 0; page < 8; page++) if (!host.touch(page)) found.push(`page ${page} is lost`);
    host.unhog();
    stack.shrink();
    stack.run(stack.driver.removeAll.run(stack.thread(), vepc));
    for (let page = 0; page < 16; page++) host.touch(page);
    for (let page = 0; page < 16; page++) stack.hardware.epa(0, vepc.pages.get(page));
    found.push(...host.evictAll().map((page) => `page ${page} stays`), ...host.violations());
  } catch (error) {
    found.push(String(error));
  }
  return found;
}

describe('a wrong order of version array pages', () => {
  it('is not what the driver has', () => {
    expect(seen(EvictableVersions)).toEqual([]);
  });

  it.each([
    ['a parent is evicted while a child is in the EPC', ParentFirst, /OS-6|stays/],
    ['a slot of a leaf that is not in the EPC is taken', TakingAnywhere, /not in the EPC/],
    ['a page is loaded whose leaf is not in the EPC', LoadingWithout, /not in the EPC/],
  ] as const)('%s', (_, Policy, wrong) => {
    expect(seen(Policy).join('\n')).toMatch(wrong);
  });
});
