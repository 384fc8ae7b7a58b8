import type { StepObject } from '../step.js';
import { text } from '../step.js';
import type { PlayContext } from './context.js';
import type { Family, Played } from './family.js';
import { CALL_KEYS } from './family.js';
import { inheritVepcs, leaveVepcs } from './vepc.js';

/** Descriptors of enclaves, and processes that have them. */
export const fileFamily: Family = {
  open: { keys: CALL_KEYS, play: open },
  close: { keys: CALL_KEYS, play: close },
  release: { keys: CALL_KEYS, play: release },
  fork: { keys: ['proc', 'child', 'cpu'], play: fork },
  exit_proc: { keys: ['proc', 'cpu'], play: exitProcess },
};

function open(context: PlayContext, step: StepObject): Played {
  const opened = context.open(step, text(step, 'encl'));
  return { r: typeof opened === 'string' ? opened : 0 };
}

function close(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  const enclave = context.enclave(name);
  const { processes } = context.epc;
  const isClosed = context.call(step, name, (cpu, process) => processes.close(cpu.thread, process, enclave));
  if (!isClosed) return { r: 'EBADF' };
  return { r: enclave.isReleased ? 'GONE' : 'STILL_OPEN' };
}

/** Threads out, unmapped everywhere, all descriptors closed. */
function release(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  if (context.gone.has(name)) return { r: 'GONE' };
  const enclave = context.enclave(name);
  for (const cpu of context.epc.cpus) {
    if (cpu.entry?.enclave === enclave && cpu.isInside) context.run(cpu, cpu.exitAsynchronously());
  }
  const cpu = context.cpu(step);
  context.run(cpu, context.epc.processes.endAll(cpu.thread, enclave));
  return { r: enclave.isReleased ? 'GONE' : 'STILL_OPEN' };
}

function fork(context: PlayContext, step: StepObject): Played {
  const parent = context.process(step, text(step, 'proc'));
  const name = text(step, 'child');
  const cpu = context.cpu(step);
  context.run(cpu, cpu.enterKernel(parent));
  const child = context.run(cpu, context.epc.processes.fork(cpu.thread, parent, name));
  context.addProcess(child);
  inheritVepcs(context, parent, child);
  return { r: 0 };
}

/** All threads out, then notifiers, mappings and descriptors. */
function exitProcess(context: PlayContext, step: StepObject): Played {
  const process = context.process(step, text(step, 'proc'));
  for (const cpu of context.epc.cpus) {
    if (cpu.process === process && cpu.isInside) context.run(cpu, cpu.exitAsynchronously());
  }
  const cpu = context.cpu(step);
  context.run(cpu, context.epc.processes.exit(cpu.thread, process));
  context.run(cpu, leaveVepcs(context, cpu.thread, process));
  context.processes.delete(process.name);
  return { r: 0 };
}
