import type { Routine } from '@epckit/interface';
import type { OversubRecipes } from '@epckit/vepc';
import type { Case } from '../../src/index.js';
import type { Vms, VmThread } from './guest-vms.js';
import { vmsCase } from './guest-vms.js';

/** A batch of each of the two reclaimers. */
const reclaimers = (vms: Vms, pages: number): VmThread[] =>
  [2, 3].map((cpu) => ({ cpu, routine: vms.batch(cpu, pages) }));

/** Both reclaimers take SECS and child of a VM each. */
export const twoReclaimers = vmsCase('two reclaimers', {}, (vms) => reclaimers(vms, 2));

/** Each reclaimer has the lock of the section that the other one's SECS is in. */
export function crossing(recipes: OversubRecipes = {}): Case {
  return vmsCase('crossed enclaves', { isCrossed: true, recipes }, (vms) => reclaimers(vms, 2));
}

/** A guest loads a child while the other VM's pages go. */
export const loading = vmsCase('a load beside two reclaimers', {}, (vms) => {
  vms.withoutChild();
  return [{ cpu: 1, routine: vms.read(1) }, ...reclaimers(vms, 1)];
});

/** A guest tries to remove a SECS whose child goes. */
export function removing(recipes: OversubRecipes = {}): Case {
  return vmsCase('EREMOVE beside two reclaimers', { recipes }, (vms) => [
    { cpu: 0, routine: vms.remove(0) },
    ...reclaimers(vms, 2),
  ]);
}

/** Both guests and both reclaimers. */
export const everybody = vmsCase('two guests beside two reclaimers', {}, (vms) => {
  vms.withoutChild();
  return [{ cpu: 0, routine: vms.remove(0) }, { cpu: 1, routine: vms.read(1) }, ...reclaimers(vms, 1)];
});

/** Guests and reclaimers make this many turns each. */
const TURNS = 4;

/** A longer program for schedules by chance: both guests, both reclaimers, three enclaves. */
export function longCase(recipes: OversubRecipes = {}): Case {
  return vmsCase('long', { isCrossed: true, recipes }, (vms) => {
    const guest = function* (vm: 0 | 1): Routine<void> {
      for (let turn = 0; turn < TURNS; turn++) {
        yield* vms.read(vm, vm === 0 ? turn % 2 : 0);
        yield* vms.remove(vm, vm === 0 ? (turn >> 1) % 2 : 0);
      }
    };
    const reclaimer = function* (cpu: number): Routine<void> {
      for (let turn = 0; turn < TURNS; turn++) yield* vms.batch(cpu, 2);
    };
    return [
      { cpu: 0, routine: guest(0) },
      { cpu: 1, routine: guest(1) },
      { cpu: 2, routine: reclaimer(2) },
      { cpu: 3, routine: reclaimer(3) },
    ];
  });
}
