import type { Enclave } from '@epckit/enclave';
import { FaultResult } from '@epckit/enclave';
import type { Routine } from '@epckit/interface';
import { NONE, Prot } from '@epckit/interface';
import type { Vepc, VepcDriver } from '@epckit/vepc';
import { checkVepc, VepcFaultResult } from '@epckit/vepc';
import type { Case } from '../../src/index.js';
import type { SceneOptions } from './scene.js';
import { Scene, sceneCase } from './scene.js';

/** A native enclave and a guest without host reclaim on one machine. */
class Neighbours extends Scene {
  readonly driver: VepcDriver;
  readonly enclave: Enclave;
  readonly vepc: Vepc;

  constructor(options: SceneOptions, pages: number) {
    super(options);
    this.driver = this.epc.vepc as VepcDriver;
    this.enclave = this.build({ pages, range: Math.max(pages, 2) });
    this.vepc = this.driver.open(8) as Vepc;
    const range = { start: 0, end: 8, prot: Prot.R | Prot.W };
    this.run(this.driver.mapper.map(this.thread(), this.process.mm, this.vepc, range));
  }

  /** A guest's first touch of a page, until it succeeds or the guest is stopped. */
  *touchGuest(cpu: number, page: number): Routine<number> {
    const { mm } = this.process;
    const thread = this.thread(cpu);
    for (;;) {
      while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
      const vma = mm.table(this.vepc.id)?.vmaOf(page);
      if (vma === undefined) throw new Error('unmapped');
      const result = yield* this.driver.faults.fault(thread, mm, vma, this.vepc, page, true);
      if (result !== VepcFaultResult.RETRY) {
        mm.lock.releaseRead(thread);
        return result;
      }
      if (thread.turn('guest', page)) yield thread.changeWaiting;
    }
  }

  /** The guest takes pages until so many are free. */
  fill(free: number): void {
    for (let page = 1; this.epc.pools.free > free; page++) this.run(this.touchGuest(0, page));
  }

  override broken(): string[] {
    const { frames, hardware } = this.epc;
    const found = checkVepc(this.driver, frames, hardware).map(({ rule, message }) => `${rule} ${message}`);
    return [...super.broken(), ...found];
  }
}

const NAMES: Readonly<Record<number, string>> = {
  [VepcFaultResult.NOPAGE]: 'runs',
  [VepcFaultResult.SIGBUS]: 'stops',
};

/** S-02, S-04: the EPC is full of native pages; so many virtual CPUs touch the same new page. */
export function fullOfNative(vcpus: number): Case {
  return sceneCase(`${vcpus} touches while native pages fill the EPC`, (mark) => {
    const woken = { daemonWoken: () => mark('ksgxd woken') };
    const probe = new Proxy(woken as never, { get: (target, name) => target[name] ?? (() => {}) });
    const scene = new Neighbours({ epcPages: 4, batchPages: 1, lowPages: 1, probe }, 2);
    if (scene.epc.pools.free !== 0) throw new Error('The EPC is not full.');
    const results: number[] = [];
    const touch = function* (cpu: number): Routine<void> {
      results[cpu] = yield* scene.touchGuest(cpu, 0);
    };
    return {
      scene,
      routines: Array.from({ length: vcpus }, (_, cpu) => touch(cpu)),
      state: () => `${results.map((result) => NAMES[result])} ${scene.vepc.pages.count}`,
    };
  });
}

/**
 * S-05: guest pages fill the EPC but for two pages. The enclave needs both, for its SECS and its page; the guest
 * touches one page more.
 */
export function fullOfGuest(): Case {
  return sceneCase('an access of an enclave while guest pages fill the EPC', () => {
    const scene = new Neighbours({ epcPages: 8, batchPages: 1, lowPages: 1 }, 1);
    scene.run(scene.batch());
    if (scene.enclave.records.epc(0) !== NONE) throw new Error('The page stays.');
    scene.fill(2);
    const results: number[] = [];
    const access = function* (): Routine<void> {
      results[0] = yield* scene.fault(0, scene.enclave, 0);
    };
    const touch = function* (): Routine<void> {
      results[1] = yield* scene.touchGuest(1, 0);
    };
    return {
      scene,
      routines: [access(), touch()],
      state: () =>
        `enclave ${results[0] === FaultResult.NOPAGE ? 'runs' : 'SIGBUS'}, guest ${NAMES[results[1] as number]}`,
    };
  });
}
