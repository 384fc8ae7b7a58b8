import type { IpiSender, OwnerId, Probe, SgxHardware } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import { createCpuSet } from '@epckit/mm';
import {
  createBackingStore,
  createEtrack,
  createLoadBack,
  createVersionSlots,
  createWriteBack,
} from '@epckit/paging';
import type { EnclavePaging } from '../src/index.js';

/** What the paging of every enclave of a stack shares. */
export interface PagingParts {
  readonly machine: Machine;
  readonly hardware: SgxHardware;
  readonly ipi: IpiSender;
  readonly probe: Probe;
  /** Asked for every page of every backing file. */
  readonly mayAllocate: (() => boolean) | undefined;
}

/** Version slots, backing file and ladders of one enclave. */
export function createPaging(
  { machine, hardware, ipi, probe, mayAllocate }: PagingParts,
  owner: OwnerId,
  pageCount: number,
  isBeingWritten: (index: number) => boolean,
): EnclavePaging {
  const { objects, checking: monitor, cpuCount } = machine;
  const slots = createVersionSlots();
  const file = { pageCount, ...(mayAllocate === undefined ? {} : { mayAllocate }) };
  const backing = createBackingStore(file, { probe, monitor, objects, owner });
  const cpus = createCpuSet(cpuCount);
  const tracker = createEtrack(hardware);
  return {
    slots,
    backing,
    writeBack: createWriteBack({ hardware, tracker, ipi, probe, slots, backing, cpus }),
    loadBack: createLoadBack({ hardware, probe, slots, backing, isBeingWritten }),
  };
}
