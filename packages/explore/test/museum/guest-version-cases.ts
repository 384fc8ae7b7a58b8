import type { ErrnoResult, Routine, Thread } from '@epckit/interface';
import type { EvictableVersionArrays, OversubInstance, OversubRecipes } from '@epckit/vepc';
import { Eviction } from '@epckit/vepc';
import { EvictableVersions } from '@epckit/vepc/recipes';
import type { Cell, Step } from '../../../vepc/test/oversub/program.js';
import type { Case } from '../../src/index.js';
import type { GuestScene } from './guest-scenarios.js';
import {
  DATA,
  DATA_SEEN,
  MORE,
  readData,
  SECS,
  scenario,
  seen,
  twins,
  unless,
  VERSIONS,
} from './guest-scenarios.js';

const EXTRA: Cell = { section: 1, page: 3 };
/** SECS in one section; three children and a VA page in the other. */
const built: readonly Step[] = [
  ...twins,
  { do: 'eadd', at: EXTRA, secs: SECS, number: 0, linear: 3, isTcs: false },
  { do: 'epa', at: VERSIONS },
];

/** Two slots in each version array page: as many pages as fixed ones may be there, one path, so a leaf goes for another. */
const tree = { versionSlots: 2, epcPages: 14, built };

/** Version array pages of the section with the children: how often one has gone and come back until now. */
function counts({ stack, program }: GuestScene): { readonly evictions: number; readonly loads: number } {
  return stack.oversub.versions.counts(stack.instance(program.at(DATA).vepc));
}

/** A version array page goes for the write of one reclaimer while another one has the same section. */
export function writes(recipes: OversubRecipes = {}): Case {
  const options = { ...tree, hosts: 2, evicted: [VERSIONS], recipes };
  return scenario('two evictions that need version array pages', options, (it) => {
    let hasGone = false;
    return {
      threads: [it.evictor(0, DATA), it.evictor(1, MORE)],
      wrong: () => {
        hasGone = counts(it).evictions > 0;
        return unless(
          it.evictions.every((id) => id === Eviction.EVICTED),
          `evictions: ${it.evictions}`,
        );
      },
      reached: () => hasGone,
    };
  });
}

/** Reclaimers write, and the guest loads the page whose version is in the leaf that goes for them. */
function loadBeside(cells: readonly Cell[], least: number, recipes: OversubRecipes): Case {
  const options = { ...tree, hosts: cells.length, evicted: [VERSIONS, DATA], recipes };
  return scenario(`a load beside ${cells.length} evictions that need version array pages`, options, (it) => {
    let isBack = false;
    return {
      threads: [it.guest(0, readData), ...cells.map((cell, host) => it.evictor(host, cell))],
      wrong: () => {
        isBack = counts(it).evictions >= least && counts(it).loads > 0;
        return seen(it, 0, DATA_SEEN);
      },
      reached: () => isBack,
    };
  });
}

/** One reclaimer writes. */
export function load(recipes: OversubRecipes = {}): Case {
  return loadBeside([MORE], 1, recipes);
}

/** Two reclaimers write. */
export function everything(): Case {
  return loadBeside([MORE, EXTRA], 2, {});
}

/** Lets go of the instance's lock between making a page present and its use. */
class LettingGo extends EvictableVersions {
  override *makeRoom(thread: Thread, instance: OversubInstance): Routine<ErrnoResult> {
    const error = yield* super.makeRoom(thread, instance);
    yield* this.#letGo(thread, instance);
    return error;
  }

  override *bring(thread: Thread, instance: OversubInstance, slot: number): Routine<ErrnoResult> {
    const error = yield* super.bring(thread, instance, slot);
    yield* this.#letGo(thread, instance);
    return error;
  }

  *#letGo(thread: Thread, { vepc: { lock } }: OversubInstance): Routine<void> {
    lock.release(thread);
    while (lock.mustWait(thread)) yield lock.acquire;
  }
}

/** Host reclaim whose version array pages may be gone again when they are used. */
export const lettingGo: OversubRecipes = {
  versions: (parts) => new LettingGo(parts, parts.oversub.versionArrays as EvictableVersionArrays),
};
