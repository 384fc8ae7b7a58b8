import type { EpcUsage, LastRefusal } from '@epckit/cgroup';
import { EpcRefusal } from '@epckit/cgroup';
import type { GroupId, OwnerId, OwnerKindId, Thread, VerdictId } from '@epckit/interface';
import { NONE, OwnerKind, Verdict } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Cgroups } from '../cgroups/cgroups.js';
import { FreePageLine } from './free-page-line.js';
import type { UsageReport } from './group-report.js';

/** Pages that batches dealt with. */
interface Reclaimed {
  lookedAt: number;
  evicted: number;
}

/** What was counted of one group without those below it, but for usage. */
export interface GroupTally {
  /** Failed charges of its processes by `EpcRefusal`. */
  readonly refusals: number[];
  /** Pages of the group. */
  readonly from: Reclaimed;
  /** By its processes. */
  readonly by: Reclaimed;
  /** By workers, with this group as the target. */
  readonly byWorkers: Reclaimed;
  /** Enclaves that were killed for it. */
  readonly victims: OwnerId[];
  /** Pages charged to it and to those below now. */
  pages: number;
  /** Most of them since the run began. */
  peakPages: number;
  /** What they were used for then. */
  useAtPeak: EpcUsage;
  /** Usage over time, as pages of the machine that the group has not. */
  line: FreePageLine;
}

/** Counts what trace points tell of groups. */
export class GroupCounters {
  readonly #cgroups: Cgroups;
  readonly #epcPages: number;
  readonly #tallies = new Map<GroupId, GroupTally>();
  readonly #workers: ReadonlySet<number>;
  #began = Number.POSITIVE_INFINITY;

  /** @param epcPages - pages of the machine */
  constructor(cgroups: Cgroups, epcPages: number) {
    this.#cgroups = cgroups;
    this.#epcPages = epcPages;
    this.#workers = new Set(cgroups.workers.map(({ id }) => id));
  }

  /** The run begins: what was counted before is forgotten, but charges stay, and victims do. */
  begin(cycle: number): void {
    this.#began = cycle;
    for (const [group, tally] of this.#tallies) {
      const { pages, victims } = tally;
      const fresh = emptyTally(pages, this.#epcPages);
      fresh.useAtPeak = { ...this.#cgroups.engine.subtreeUsageOf(group) };
      fresh.victims.push(...victims);
      this.#tallies.set(group, fresh);
    }
  }

  /** Counts of a group. */
  of(group: GroupId): GroupTally {
    let tally = this.#tallies.get(group);
    if (tally === undefined) {
      tally = emptyTally(0, this.#epcPages);
      this.#tallies.set(group, tally);
    }
    return tally;
  }

  /** A page was charged. */
  charged(thread: Thread, group: GroupId): void {
    this.#add(thread, group, 1);
  }

  /** A charge was given back. */
  uncharged(thread: Thread, group: GroupId): void {
    this.#add(thread, group, -1);
  }

  /** A charge failed. */
  refused(thread: Thread, group: GroupId): void {
    const { reason }: LastRefusal = this.#cgroups.engine.charge.lastRefusal(thread);
    const { refusals } = this.of(group);
    refusals[reason] = (refusals[reason] ?? 0) + 1;
  }

  /** A batch has judged a page of `group`. */
  judged(thread: MachineThread, group: GroupId, verdict: VerdictId): void {
    const evicted = verdict === Verdict.EVICTED ? 1 : 0;
    if (group !== NONE) count(this.of(group).from, evicted);
    if (!thread.isKernel) count(this.of(this.#cgroups.currentGroup(thread)).by, evicted);
  }

  /** A batch for the subtree of `target` has ended. */
  reclaimed(thread: Thread, target: GroupId, lookedAt: number, evicted: number): void {
    if (!this.#workers.has(thread.id)) return;
    const { byWorkers } = this.of(target);
    byWorkers.lookedAt += lookedAt;
    byWorkers.evicted += evicted;
  }

  /** Somebody was killed so that `group` gets room. */
  killed(kind: OwnerKindId, owner: OwnerId, group: GroupId): void {
    if (kind !== OwnerKind.NATIVE) return;
    this.of(group).victims.push(owner);
  }

  #add(thread: Thread, group: GroupId, change: number): void {
    const { groups } = this.#cgroups.engine;
    for (
      let part: ReturnType<typeof groups.above> = groups.of(group);
      part !== null;
      part = groups.above(part)
    ) {
      const tally = this.of(part.id);
      tally.pages += change;
      if (this.#began === Number.POSITIVE_INFINITY) continue;
      tally.line.add(thread.clock - this.#began, -change);
      if (tally.pages <= tally.peakPages) continue;
      tally.peakPages = tally.pages;
      tally.useAtPeak = this.#cgroups.engine.subtreeUsageOf(part.id);
    }
  }
}

/** Charged pages over time: what is missing from all pages of the machine. */
export function usageOf({ line }: GroupTally, epcPages: number): UsageReport {
  const { intervalCycles, lowest, last } = line.report();
  const charged = (free: number): number => epcPages - free;
  return { intervalCycles, highest: lowest.map(charged), last: last.map(charged) };
}

function emptyTally(pages: number, epcPages: number): GroupTally {
  return {
    refusals: Object.values(EpcRefusal).map(() => 0),
    from: { lookedAt: 0, evicted: 0 },
    by: { lookedAt: 0, evicted: 0 },
    byWorkers: { lookedAt: 0, evicted: 0 },
    victims: [],
    pages,
    peakPages: pages,
    useAtPeak: { regular: 0, secs: 0, va: 0, vepc: 0 },
    line: new FreePageLine(epcPages - pages),
  };
}

function count(pages: Reclaimed, evicted: number): void {
  pages.lookedAt++;
  pages.evicted += evicted;
}
