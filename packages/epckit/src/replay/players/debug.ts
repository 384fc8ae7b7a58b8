import type { Routine } from '@epckit/interface';
import type { StepObject } from '../step.js';
import { integer, text } from '../step.js';
import type { PlayContext } from './context.js';
import type { Family, Played } from './family.js';
import { CALL_KEYS } from './family.js';
import { errnoWord } from './words.js';

const PAGE_BYTES = 4096;
const ACCESS_BYTES = 8;

/** Accesses of a debugger. Records say how many bytes, not which. */
export const debugFamily: Family = {
  peek: { keys: [...CALL_KEYS, 'page', 'byte'], play: (context, step) => debug(context, step, false) },
  poke: { keys: [...CALL_KEYS, 'page', 'byte'], play: (context, step) => debug(context, step, true) },
};

function debug(context: PlayContext, step: StepObject, isWrite: boolean): Played {
  const name = text(step, 'encl');
  const enclave = context.enclave(name);
  const page = integer(step, 'page', 0);
  const offset = page * PAGE_BYTES + integer(step, 'byte', 0);
  const { debug: access } = context.epc.driver;
  // Recordings do not say what is written.
  const bytes = new Uint8Array(ACCESS_BYTES).fill(isWrite ? 0x5a : 0);
  const done = context.call(step, name, function* ({ thread }, { mm }): Routine<number | null> {
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const vma = mm.table(enclave.id)?.vmaOf(page);
    let result: number | null = null;
    if (vma !== undefined && isWrite) result = yield* access.write(thread, vma, enclave, offset, bytes);
    if (vma !== undefined && !isWrite) result = yield* access.read(thread, vma, enclave, offset, bytes);
    mm.lock.releaseRead(thread);
    return result;
  });
  if (done === null) return { r: 'MAPERR' };
  return done < 0 ? { r: errnoWord(done) } : { r: 0, n: done };
}
