import type { LeafResult, PageIndex } from '@epckit/interface';
import { FAULT_FLAG, Leaf, LeafFault, MisuseError, NONE, PageType, Prot, SecInfo } from '@epckit/interface';
import type { Failure, FailurePoint } from '../../failures/injected-failures.js';
import type { StepObject } from '../step.js';
import { choice, flag, integer, text } from '../step.js';
import type { PlayContext } from './context.js';
import type { Family, Played } from './family.js';
import { errnoWord } from './words.js';

/** What happens to the memory from outside: leftovers, hardware errors, injected failures, loss of power. */
export const memoryFamily: Family = {
  dirty: { keys: ['page', 'kind', 'secs', 'lin'], play: dirty },
  poison: { keys: ['page', 'action_required', 'cpu'], play: poison },
  inject: { keys: ['what', 'leaf', 'ret', 'count', 'after'], play: inject },
  power_cycle: { keys: [], play: powerCycle },
};

/** Range of an enclave of an earlier kernel. */
const FOREIGN_PAGES = 2 ** 20;
const FOREIGN_BASE = 2 ** 34;

/** A page that an earlier kernel has left. The hardware knows it, the driver does not. */
function dirty(context: PlayContext, step: StepObject): Played {
  if (context.isBooted) throw new MisuseError("'dirty' comes before 'boot'.");
  const page = context.names.pageOf(text(step, 'page'));
  const kind = choice(step, 'kind', ['secs', 'reg', 'va']);
  const name = text(step, 'secs', 'K');
  const { recorder, names } = context;
  if (!recorder.known.has(name)) recorder.known.set(name, { epoch: 0, secs: NONE });
  recorder.isMuted = true;
  if (kind !== 'va') names.label(page, name, kind === 'secs' ? 'SECS' : integer(step, 'lin', 0));
  const result = leaveBehind(context, page, kind, name, integer(step, 'lin', 0));
  recorder.isMuted = false;
  if (result === 0) return {};
  throw new MisuseError(`EPC page ${text(step, 'page')} cannot be left behind as '${kind}'.`, [
    `the leaf returned ${result}`,
    `enclave: ${name}`,
  ]);
}

function leaveBehind(
  { epc, recorder }: PlayContext,
  page: PageIndex,
  kind: 'secs' | 'reg' | 'va',
  name: string,
  linear: number,
): LeafResult {
  const { hardware } = epc;
  if (kind === 'va') return hardware.epa(0, page);
  const range = { basePage: FOREIGN_BASE, pageCount: FOREIGN_PAGES, attributes: 4, ssaFrameSize: 1 };
  if (kind === 'secs') return hardware.ecreate(0, page, range);
  const secs = recorder.known.get(name)?.secs ?? NONE;
  const secinfo = Prot.R | Prot.W | (PageType.REG << SecInfo.TYPE_SHIFT);
  return hardware.eadd(0, page, secs, FOREIGN_BASE + linear, secinfo, 0);
}

function poison(context: PlayContext, step: StepObject): Played {
  const page = reportedPage(context, text(step, 'page'));
  const cpu = context.cpu(step);
  if (page !== NONE && flag(step, 'action_required')) context.recorder.signalled('SIGBUS');
  const result = context.run(cpu, context.epc.memoryFailure.report(cpu.thread, page));
  return { r: errnoWord(result), platform_page: page === NONE ? 0 : 1 };
}

/** A page of a section that is announced and not used is no EPC page for the kernel. */
function reportedPage({ epc, machine, names }: PlayContext, name: string): PageIndex {
  const [section = '', index] = name.split(':');
  const isUsed = epc.frames.sections[Number(section)] !== undefined;
  const announced = machine.sections[Number(section)];
  if (!isUsed && announced !== undefined && Number(index) < announced.pages) return NONE;
  return names.pageOf(name);
}

const points: readonly FailurePoint[] = [
  'kmalloc',
  'xa',
  'shmem_file',
  'shmem_page',
  'pfn',
  'mmu_notifier',
  'encls',
];

function inject(context: PlayContext, step: StepObject): Played {
  const what = choice(step, 'what', points);
  const base: Failure = { what, after: integer(step, 'after', 0), count: integer(step, 'count', 1) };
  context.failures.inject(what === 'encls' ? { ...base, ...leafFailure(step) } : base);
  return { r: 0 };
}

function leafFailure(step: StepObject): Pick<Failure, 'leaf' | 'result'> {
  const leaf = Leaf[choice(step, 'leaf', Object.keys(Leaf) as (keyof typeof Leaf)[])];
  if (step['ret'] === '#PF') return { leaf, result: LeafFault.PF };
  if (step['ret'] === '#GP') return { leaf, result: LeafFault.GP };
  const code = integer(step, 'ret', 0);
  if (code > 0 && code < FAULT_FLAG) return { leaf, result: code };
  throw new MisuseError(`'ret' of step 'inject' must be "#PF", "#GP" or a leaf's error code, not ${code}.`);
}

function powerCycle(context: PlayContext): Played {
  context.epc.losePower();
  context.recorder.powerLost();
  return { r: 0 };
}
