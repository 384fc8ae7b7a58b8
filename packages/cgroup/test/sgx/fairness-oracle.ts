import type { EpcWalkObserver } from '../../src/index.js';
import type { EpcGroup } from '../../src/recipes.js';

/** A group that was given out, and the newest group at that time. */
interface Visit {
  readonly serial: number;
  readonly newest: number;
}

/**
 * Oracle 8: between two returns of the same group by the walk of a subtree, every other group of it that lives all the
 * time is returned exactly once.
 */
export class FairnessOracle implements EpcWalkObserver {
  readonly problems: string[] = [];
  /** Walks that came round. */
  rounds = 0;
  readonly #logs = new Map<number, Visit[]>();
  #newest = 0;

  visited(top: EpcGroup, group: EpcGroup): void {
    const log = this.#logs.get(top.group.serial) ?? [];
    this.#logs.set(top.group.serial, log);
    const live = subtreeOf(top);
    this.#newest = Math.max(this.#newest, ...live);
    const { serial } = group.group;
    const before = log.findLastIndex((visit) => visit.serial === serial);
    if (before >= 0) this.#check(top, live, serial, log[before] as Visit, log.slice(before + 1));
    log.push({ serial, newest: this.#newest });
  }

  #check(
    top: EpcGroup,
    live: readonly number[],
    serial: number,
    first: Visit,
    between: readonly Visit[],
  ): void {
    this.rounds++;
    const seen = between.map((visit) => visit.serial);
    if (new Set(seen).size < seen.length) {
      this.problems.push(`${top.group.name}: ${seen} between two visits of ${serial}`);
    }
    for (const other of live) {
      if (other === serial || other > first.newest || seen.includes(other)) continue;
      this.problems.push(`${top.group.name}: ${other} was left out between two visits of ${serial}: ${seen}`);
    }
  }
}

/** Serial numbers of the groups of a subtree that can be had. */
function subtreeOf(top: EpcGroup): number[] {
  const found: number[] = [];
  const add = (group: EpcGroup['group']): void => {
    if (group.refs.value > 0) found.push(group.serial);
    group.children.forEach(add);
  };
  add(top.group);
  return found;
}
