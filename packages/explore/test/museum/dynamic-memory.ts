import type { Enclave } from '@epckit/enclave';
import { FaultResult } from '@epckit/enclave';
import type { Routine } from '@epckit/interface';
import { InvariantViolation, Leaf, NONE, PageType, SecInfo } from '@epckit/interface';
import type { Preset } from 'epckit';
import type { Case } from '../../src/index.js';
import { Scene, sceneCase } from './scene.js';
import { silentProbe } from './silent-probe.js';

/** Mark: no thread was killed. */
export const WELL = 'both end well';
/** Mark: REMOVE_PAGES was done, and the address was added again before the end. */
export const ADDED_AGAIN = 'added again';
/** Mark: a fault came while the ioctl was at work. */
export const MEANWHILE = 'fault beside the ioctl';

const PAGE = 1;

/** Two threads touch a page for the first time (B-42). */
export function twoFaults(preset: Preset): Case {
  return sceneCase('two first faults', (mark) => {
    const scene = new Scene({ preset });
    const enclave = scene.build({ pages: 1 });
    scene.run(scene.cpu(1).load(scene.process));
    let isKilled = false;
    const access = function* (cpu: number): Routine<void> {
      if ((yield* scene.fault(cpu, enclave, PAGE)) !== FaultResult.NOPAGE) isKilled = true;
    };
    const wrong = (): string[] => {
      if (isKilled) return ['A thread is killed for a page that exists.'];
      mark(WELL);
      return [];
    };
    return { scene, routines: [access(0), access(1)], wrong, state: () => `${enclave.records.exists(PAGE)}` };
  });
}

/** A page is removed while another thread touches it (B-43). */
export function removeAndFault(preset: Preset): Case {
  return sceneCase('REMOVE_PAGES beside a fault', (mark) => {
    const scene = new Scene({ preset });
    const enclave = augmented(scene);
    const { driver } = scene.epc;
    const trim = { page: PAGE, count: 1, type: PageType.TRIM };
    scene.run(driver.modifyTypes.run(scene.thread(), enclave, trim));
    accept(scene, enclave, SecInfo.MODIFIED | (PageType.TRIM << SecInfo.TYPE_SHIFT));
    let isRemoving = true;
    const remove = function* (): Routine<void> {
      const removed = yield* driver.removePages.run(scene.thread(), enclave, { page: PAGE, count: 1 });
      if (removed.result !== 0) throw new InvariantViolation(`REMOVE_PAGES: ${removed.result}`);
      isRemoving = false;
    };
    const fault = function* (): Routine<void> {
      yield* scene.fault(1, enclave, PAGE);
      if (isRemoving) mark(MEANWHILE);
    };
    const wrong = (): string[] => {
      if (enclave.records.exists(PAGE)) mark(ADDED_AGAIN);
      return [];
    };
    return { scene, routines: [remove(), fault()], wrong, state: () => `${enclave.records.exists(PAGE)}` };
  });
}

/** A page becomes a TCS while another thread touches it (B-44). At EMODT nothing may map it. */
export function convertAndFault(preset: Preset): Case {
  return sceneCase('MODIFY_TYPES beside a fault', (mark) => {
    let isMapped = false;
    const probe = {
      ...silentProbe,
      leaf: (_cpu: number, leaf: number) => {
        if (leaf === Leaf.EMODT) isMapped = scene.table(enclave).frame(PAGE) !== NONE;
      },
    };
    const scene = new Scene({ preset, probe });
    const enclave = augmented(scene);
    const { driver } = scene.epc;
    let isChanging = true;
    const convert = function* (): Routine<void> {
      const argument = { page: PAGE, count: 1, type: PageType.TCS };
      const changed = yield* driver.modifyTypes.run(scene.thread(), enclave, argument);
      if (changed.result !== 0) throw new InvariantViolation(`MODIFY_TYPES: ${changed.result}`);
      isChanging = false;
    };
    const fault = function* (): Routine<void> {
      yield* scene.fault(1, enclave, PAGE);
      if (isChanging) mark(MEANWHILE);
    };
    return {
      scene,
      routines: [convert(), fault()],
      wrong: () => (isMapped ? ['The page is mapped when EMODT changes it.'] : []),
      state: () => `${enclave.records.type(PAGE)}`,
    };
  });
}

/** An enclave whose second page was added at run time, accepted, and is mapped. */
function augmented(scene: Scene): Enclave {
  const enclave = scene.build({ pages: 1 });
  scene.run(scene.cpu(1).load(scene.process));
  scene.run(scene.fault(0, enclave, PAGE));
  const { flags } = scene.epc.hardware.entry(enclave.records.epc(PAGE));
  accept(scene, enclave, flags | (PageType.REG << SecInfo.TYPE_SHIFT));
  return enclave;
}

function accept({ epc }: Scene, enclave: Enclave, secinfo: number): void {
  const { hardware } = epc;
  const linear = enclave.linearPage(PAGE);
  const result = hardware.within(0, enclave.secs, () =>
    hardware.eaccept(0, enclave.records.epc(PAGE), linear, secinfo),
  );
  if (result !== 0) throw new InvariantViolation(`EACCEPT: ${result}`);
}
