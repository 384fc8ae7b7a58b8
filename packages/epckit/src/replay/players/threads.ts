import { EnclaveFlag } from '@epckit/enclave';
import { Access, NONE, SgxCode } from '@epckit/interface';
import { AccessOutcome } from '../../access.js';
import type { StepObject } from '../step.js';
import { integer, text } from '../step.js';
import { access, accessWord, faultsOnly } from './access.js';
import type { PlayContext } from './context.js';
import type { Family, Played } from './family.js';
import { CALL_KEYS } from './family.js';

/** Threads that enter enclaves and leave them. */
export const threadFamily: Family = {
  enter: { keys: [...CALL_KEYS, 'tcs'], play: enter },
  exit: { keys: CALL_KEYS, play: exit },
  resume: { keys: CALL_KEYS, play: resume },
};

function enter(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  const enclave = context.accessed(name);
  const tcs = integer(step, 'tcs', 0);
  const cpu = context.cpu(step);
  if (cpu.isInside) context.run(cpu, cpu.exitAsynchronously());
  const result = access(context, step, cpu, name, tcs, Access.READ);
  const faults = faultsOnly(result);
  const isReached = result.outcome === AccessOutcome.OK || result.outcome === AccessOutcome.HIT;
  const refusal = isReached ? 'TCS' : accessWord(context, enclave, tcs, result);
  if (refusal !== 'TCS') return { r: refusal, ...faults };
  if (enclave.secs === NONE) return { r: 'NOSECS', ...faults };
  if ((enclave.flags.value & EnclaveFlag.INITIALIZED) === 0) return { r: 'NOT_INIT', ...faults };
  const leaf = context.run(cpu, cpu.enter(enclave, tcs));
  if (leaf !== SgxCode.SUCCESS) return { r: 'NOT_TCS', ...faults };
  context.entrants.set(cpu.id, context.process(step, name));
  return { r: 'INSIDE', ...faults };
}

function exit(context: PlayContext, step: StepObject): Played {
  const cpu = context.cpu(step);
  return { r: context.run(cpu, cpu.exit()) ? 0 : 'NOT_INSIDE' };
}

/** A thread that was thrown out enters again, without a fault: its TCS page must be mapped. */
function resume(context: PlayContext, step: StepObject): Played {
  const cpu = context.cpu(step);
  const process = context.entrants.get(cpu.id);
  if (cpu.entry === null || cpu.isInside || process === undefined) return { r: 'NOT_OUT' };
  context.run(cpu, cpu.load(process));
  return { r: context.run(cpu, cpu.resume()) ? 'INSIDE' : 'FAULT' };
}
