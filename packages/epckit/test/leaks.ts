import { SECS_RECORD, versionArrayNumber } from '@epckit/enclave';
import type { PageIndex, Routine } from '@epckit/interface';
import { FrameFlag, NONE, OwnerKind, PageType } from '@epckit/interface';
import type { Epc, UserCpu } from '../src/index.js';

/** Ends everything that users have: threads, guests, processes with their mappings and descriptors. */
export function releaseEverything(epc: Epc): void {
  const { machine, processes, vepc: device } = epc;
  const [cpu] = epc.cpus as [UserCpu];
  const run = (routine: Routine<unknown>): void => void machine.run(cpu.thread, routine);
  for (const user of epc.cpus) if (user.isInside) machine.run(user.thread, user.exitAsynchronously());
  for (const instance of device?.instances() ?? []) {
    for (const mm of instance.addressSpaces()) {
      run(device?.mapper.unmap(cpu.thread, mm, instance, 0, instance.pageCount) as Routine<void>);
      mm.forget(instance.id);
    }
    run(device?.release(cpu.thread, instance) as Routine<void>);
  }
  for (const process of processes.living) run(processes.exit(cpu.thread, process));
  while (processes.hasLate) run(processes.dropLate(cpu.thread));
  machine.runKernelThreads();
}

/**
 * What is left after {@link releaseEverything}, one text each: EPC pages that can never be allocated again, enclaves
 * that are not released, guests' SECS pages that nobody can free. Poisoned pages are withdrawn, not leaked.
 */
export function leaksOf(epc: Epc): string[] {
  const { frames, driver, vepc } = epc;
  const leaks = driver.enclaves().map(({ refs }) => `enclave: references ${refs.value}`);
  for (let page = 0; page < frames.pageCount; page++) {
    if ((frames.flags(page) & FrameFlag.IS_FREE) !== 0 || frames.isPoisoned(page)) continue;
    leaks.push(`EPC page: ${holdingOf(epc, page)}`);
  }
  if (vepc !== null) leaks.push(...vepc.zombies.all().map((page) => `zombie: EPC page ${page}`));
  return leaks;
}

/** What the driver, or before it has cleaned the page the hardware, takes the page for. */
function holdingOf({ frames, hardware, driver }: Epc, page: PageIndex): string {
  const record = frames.record(page);
  const { valid, type } = hardware.entry(page);
  const name = Object.entries(PageType).find(([, value]) => value === type)?.[0];
  if (frames.kind(page) === OwnerKind.NONE) return `not clean, ${valid ? name : 'unused'}`;
  if (frames.kind(page) !== OwnerKind.NATIVE) return `of a guest, ${name}`;
  const isKnown = driver.enclaves().some(({ id }) => id === frames.owner(page));
  const owner = isKnown ? 'of a live enclave' : 'of nobody';
  if (record === SECS_RECORD) return `SECS ${owner}`;
  return `${versionArrayNumber(record) === NONE ? 'page' : 'version array'} ${owner}`;
}
