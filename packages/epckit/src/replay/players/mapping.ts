import type { Enclave, MapArgument } from '@epckit/enclave';
import type { StepObject } from '../step.js';
import { integer, text } from '../step.js';
import type { PlayContext } from './context.js';
import type { Family, Played } from './family.js';
import { CALL_KEYS } from './family.js';
import { errnoWord, protOf } from './words.js';

/** Mappings of enclaves. */
export const mappingFamily: Family = {
  map: { keys: [...CALL_KEYS, 'page', 'count', 'prot'], play: map },
  unmap: { keys: [...CALL_KEYS, 'page', 'count'], play: unmap },
  mprotect: { keys: [...CALL_KEYS, 'page', 'count', 'prot'], play: protect },
};

function map(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  const enclave = context.enclave(name);
  const argument = rangeOf(step, enclave);
  const result = context.call(step, name, ({ thread }, process) => {
    return context.epc.processes.map(thread, process, enclave, argument);
  });
  return { r: errnoWord(result) };
}

function unmap(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  const enclave = context.enclave(name);
  const { start, end } = rangeOf(step, enclave);
  const result = context.call(step, name, ({ thread }, process) => {
    return context.epc.processes.unmap(thread, process, enclave, start, end);
  });
  return { r: errnoWord(result) };
}

function protect(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  const enclave = context.enclave(name);
  const argument = rangeOf(step, enclave);
  const { mapper } = context.epc.driver;
  const result = context.call(step, name, ({ thread }, { mm }) => {
    return mapper.protect(thread, mm, enclave, argument);
  });
  return { r: errnoWord(result) };
}

/** Range of the step, by default the whole enclave, and its rights, by default read and write. */
function rangeOf(step: StepObject, enclave: Enclave): MapArgument {
  const start = integer(step, 'page', 0);
  const end = start + integer(step, 'count', Math.max(enclave.pageCount - start, 0));
  return { start, end, prot: protOf(text(step, 'prot', 'rw')) };
}
