import type { AddressSpace, LeafResult, PageIndex, Routine, Thread } from '@epckit/interface';
import {
  Access,
  Cost,
  Errno,
  MisuseError,
  NONE,
  PageType,
  Prot,
  SecInfo,
  SgxCode,
  Walk,
} from '@epckit/interface';
import type { Trap, Vepc, VepcAddress, VepcDriver, VepcFaultResultId } from '@epckit/vepc';
import { GUEST_UNMAPPED, reach, VEPC_REMOVE_ALL, VepcFaultResult } from '@epckit/vepc';
import type { Process } from '../../process.js';
import type { UserCpu } from '../../user-cpu.js';
import { resultWord } from '../recorder.js';
import type { StepObject } from '../step.js';
import { choice, integer, text } from '../step.js';
import { faultWords, MAX_FAULTS } from './access.js';
import type { PlayContext } from './context.js';
import type { Family, Played } from './family.js';
import { errnoWord } from './words.js';

/** Keys of every step that a process performs on a CPU for an instance. */
const VEPC_KEYS = ['vepc', 'cpu', 'proc'] as const;

/** Virtual EPC: the device, and the guests behind it. */
export const vepcFamily: Family = {
  vepc_open: { keys: [...VEPC_KEYS, 'pages'], play: open },
  vepc_fault: { keys: [...VEPC_KEYS, 'page'], play: touch },
  vepc_remove_all: { keys: [...VEPC_KEYS, 'cmd', 'arg'], play: removeAll },
  vepc_release: { keys: VEPC_KEYS, play: release },
  guest: { keys: [...VEPC_KEYS, 'page', 'do', 'label', 'secs_vepc', 'secs_page', 'lin'], play: guest },
};

/** Process that opens instances unless the step names another. */
const VMM = 'vm';

/** The range that guests give to each of their enclaves. */
const GUEST_PAGES = 2 ** 20;
const GUEST_BASE = 2 ** 34;
const GUEST_ATTRIBUTES = 4;

/** open, and mmap of everything. */
function open(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'vepc');
  const { vepc: driver } = context.epc;
  if (context.vepcs.has(name)) throw new MisuseError(`Virtual EPC '${name}' is open already.`);
  context.openers.set(name, text(step, 'proc', VMM));
  const pageCount = integer(step, 'pages', 0);
  const result = context.call(step, name, function* ({ thread }, process) {
    if (driver === null) return -Errno.ENODEV;
    const vepc = driver.open(pageCount);
    if (vepc === null) return -Errno.ENOMEM;
    context.vepcs.set(name, vepc);
    context.vepcHolders.set(name, new Set([process]));
    const all = { start: 0, end: pageCount, prot: Prot.R | Prot.W };
    return yield* driver.mapper.map(thread, process.mm, vepc, all);
  });
  return { r: errnoWord(result) };
}

/** An access of the VMM, with its faults. */
function touch(context: PlayContext, step: StepObject): Played {
  const vepc = context.vepc(text(step, 'vepc'));
  const page = integer(step, 'page', 0);
  const cpu = context.cpu(step);
  const { mm } = context.process(step, text(step, 'vepc'));
  context.run(cpu, cpu.load(context.process(step, text(step, 'vepc'))));
  const faults: VepcFaultResultId[] = [];
  for (;;) {
    const walk = mm.walk(vepc.id, page, Access.WRITE);
    const f = faults.length === 0 ? {} : { f: faults.map((fault) => faultWords[fault]) };
    if (walk === Walk.NO_MAPPING) return { r: 'MAPERR', ...f };
    if (walk === Walk.NO_RIGHT) return { r: 'ACCERR', ...f };
    if (walk === Walk.HIT) {
      return { r: faults.length === 0 ? 'HIT' : 'OK', ...f, epc: context.names.page(vepc.pages.get(page)) };
    }
    if (faults.at(-1) === VepcFaultResult.SIGBUS) return { r: 'SIGBUS', ...f };
    if (faults.length === MAX_FAULTS) return { r: 'RETRY_LIMIT', ...f };
    faults.push(context.run(cpu, fault(context, cpu, vepc, page)));
    // Who can make room gets a chance before the next attempt.
    if (faults.at(-1) !== VepcFaultResult.SIGBUS) context.epc.machine.returnToUser();
  }
}

/** AEX if a thread is inside, the handler, ERESUME. */
function* fault(context: PlayContext, cpu: UserCpu, vepc: Vepc, page: number): Routine<VepcFaultResultId> {
  const { thread } = cpu;
  const { mm } = cpu.process as NonNullable<UserCpu['process']>;
  const wasInside = cpu.isInside;
  if (wasInside) yield* cpu.exitAsynchronously();
  thread.spend(Cost.FAULT_KERNEL);
  while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
  const vma = mm.table(vepc.id)?.vmaOf(page);
  let result: VepcFaultResultId = VepcFaultResult.NOPAGE;
  if (vma !== undefined) result = yield* driverOf(context).faults.fault(thread, mm, vma, vepc, page);
  // The handler has given the lock back if the fault is to start again.
  if (result !== VepcFaultResult.RETRY) mm.lock.releaseRead(thread);
  if (wasInside) yield* cpu.resume();
  return result;
}

/** @returns the pages that are left, or an errno */
function removeAll(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'vepc');
  const vepc = context.vepc(name);
  const command = integer(step, 'cmd', VEPC_REMOVE_ALL);
  const argument = integer(step, 'arg', 0);
  const result = context.call(step, name, ({ thread }) => {
    return driverOf(context).removeAll.ioctl(thread, vepc, command, argument);
  });
  return { r: result > 0 ? result : errnoWord(result) };
}

/** Unmapped everywhere, and closed. */
function release(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'vepc');
  const vepc = context.vepc(name);
  context.call(step, name, function* ({ thread }) {
    for (const mm of vepc.addressSpaces()) yield* unmap(context, thread, mm, vepc);
    yield* close(context, thread, name);
  });
  return { r: 0 };
}

function* unmap(context: PlayContext, thread: Thread, mm: AddressSpace, vepc: Vepc): Routine<void> {
  yield* driverOf(context).mapper.unmap(thread, mm, vepc, 0, vepc.pageCount);
  mm.forget(vepc.id);
}

/** The last descriptor is closed. */
function* close(context: PlayContext, thread: Thread, name: string): Routine<void> {
  const vepc = context.vepc(name);
  context.vepcs.delete(name);
  context.vepcHolders.delete(name);
  yield* driverOf(context).release(thread, vepc);
}

/** fork: the child has the descriptors of its parent, but not the mappings (`VM_DONTCOPY`). */
export function inheritVepcs({ vepcHolders }: PlayContext, parent: Process, child: Process): void {
  for (const holders of vepcHolders.values()) if (holders.has(parent)) holders.add(child);
}

/** exit: mappings go, and instances that no other process has a descriptor of. */
export function* leaveVepcs(context: PlayContext, thread: Thread, process: Process): Routine<void> {
  for (const vepc of context.vepcs.values()) yield* unmap(context, thread, process.mm, vepc);
  for (const [name, holders] of [...context.vepcHolders]) {
    if (holders.delete(process) && holders.size === 0) yield* close(context, thread, name);
  }
}

/** A leaf of a guest on its own page. */
function guest(context: PlayContext, step: StepObject): Played {
  const what = choice(step, 'do', ['ecreate', 'einit', 'eadd', 'eaug', 'eremove', 'enter']);
  const at = addressOf(context, step, text(step, 'vepc'), integer(step, 'page', 0));
  const page = reach(at);
  if (page === NONE) return { r: 'UNMAPPED' };
  if (what === 'enter') return enter(context, step, page);
  const trap: Trap = { vector: 0 };
  const holding = holdingOf(context, step, what);
  if (holding !== null) context.names.label(page, holding.enclave, holding.record);
  const result = context.call(step, text(step, 'vepc'), ({ thread }) => {
    const { guest: leaves } = driverOf(context);
    if (what === 'ecreate') return leaves.ecreate(thread, at, secsSource, trap);
    if (what === 'einit') return leaves.einit(thread, at, { signature: {} }, trap);
    if (what === 'eremove') return leaves.eremove(thread, at);
    const linearPage = GUEST_BASE + integer(step, 'lin', 0);
    const secs = secsAddressOf(context, step);
    if (what === 'eaug') return leaves.eaug(thread, at, secs, linearPage);
    // Scripts do not say what is added. Any page may be the one that a thread enters through.
    return leaves.eadd(thread, at, secs, linearPage, PageType.TCS << SecInfo.TYPE_SHIFT);
  });
  context.names.unlabel(page);
  if (result === GUEST_UNMAPPED) return { r: 'UNMAPPED' };
  if (result === -Errno.EFAULT) return { r: 'EFAULT', trap: trap.vector };
  return { r: result < 0 ? errnoWord(result) : resultWord(result) };
}

const secsSource = {
  basePage: GUEST_BASE,
  pageCount: GUEST_PAGES,
  attributes: GUEST_ATTRIBUTES,
  ssaFrameSize: 1,
};

/** What the leaf makes of its page if it succeeds, for records; null: nothing new. */
function holdingOf(
  context: PlayContext,
  step: StepObject,
  what: string,
): { readonly enclave: string; readonly record: number | string } | null {
  if (what === 'ecreate') return { enclave: text(step, 'label'), record: 'SECS' };
  if (what !== 'eadd' && what !== 'eaug') return null;
  const enclave = enclaveOf(context, reach(secsAddressOf(context, step)));
  return enclave === null ? null : { enclave, record: integer(step, 'lin', 0) };
}

/** EENTER into the enclave whose SECS the EPC page is, through one of its pages. */
function enter(context: PlayContext, step: StepObject, secs: PageIndex): Played {
  const cpu = context.cpu(step);
  context.run(cpu, cpu.enterKernel(context.process(step, text(step, 'vepc'))));
  if (enclaveOf(context, secs) === null) return { r: 'NOSECS' };
  const door = doorOf(context, step, secs);
  if (door === null) return { r: 'NOT_INIT' };
  const leaf: Routine<LeafResult> = driverOf(context).guest.eenter(cpu.thread, door.at, door.linearPage);
  if (context.run(cpu, leaf) !== SgxCode.SUCCESS) return { r: 'NOT_INIT' };
  cpu.entry = null;
  return { r: 'INSIDE' };
}

/** A TCS page of the guest's enclave, in whatever instance, or null. */
function doorOf(context: PlayContext, step: StepObject, secs: PageIndex) {
  const { hardware } = context.epc;
  for (const [name, vepc] of context.vepcs) {
    const { mm } = context.process(step, name);
    for (let index = vepc.pages.next(0); index !== NONE; index = vepc.pages.next(index + 1)) {
      const at: VepcAddress = { mm, vepc, page: index };
      const page = reach(at);
      if (page === NONE || !hardware.isValid(page)) continue;
      const { type, secs: owner, linearPage } = hardware.entry(page);
      if (type === PageType.TCS && owner === secs) return { at, linearPage };
    }
  }
  return null;
}

/** Name of the enclave whose SECS the EPC page holds, or null. */
function enclaveOf({ recorder }: PlayContext, secs: PageIndex): string | null {
  if (secs === NONE) return null;
  for (const [name, known] of recorder.known) if (known.secs === secs) return name;
  return null;
}

function secsAddressOf(context: PlayContext, step: StepObject): VepcAddress {
  const name = text(step, 'secs_vepc', text(step, 'vepc'));
  return addressOf(context, step, name, integer(step, 'secs_page', 0));
}

/** Where the process that has an instance finds a page of it. */
function addressOf(context: PlayContext, step: StepObject, name: string, page: number): VepcAddress {
  return { mm: context.process(step, name).mm, vepc: context.vepc(name), page };
}

/** The device; there is an instance, so there is the device. */
function driverOf(context: PlayContext): VepcDriver {
  return context.epc.vepc as VepcDriver;
}
