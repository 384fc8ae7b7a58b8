import type { DynamicArgument, DynamicResult, Enclave } from '@epckit/enclave';
import type { LeafResult, Routine } from '@epckit/interface';
import { Access, AUGMENTED_SECINFO, NONE, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { AccessOutcome } from '../../access.js';
import type { UserCpu } from '../../user-cpu.js';
import type { StepObject } from '../step.js';
import { choice, flag, integer, number, text } from '../step.js';
import type { AccessResult } from './access.js';
import { access, accessWord, faultsOf, faultsOnly } from './access.js';
import type { PlayContext } from './context.js';
import type { Family, Played } from './family.js';
import { CALL_KEYS } from './family.js';
import { errnoWord, protOf } from './words.js';

const PAGE_BYTES = 4096;
const RANGE_KEYS = [...CALL_KEYS, 'page', 'count', 'offset', 'length', 'in_count', 'bad_arg'] as const;

/** Dynamic memory: the calls into the kernel, and what the enclave does about them. */
export const edmmFamily: Family = {
  restrict: { keys: [...RANGE_KEYS, 'in_result', 'perms', 'raw_perms'], play: restrict },
  modt: { keys: [...RANGE_KEYS, 'in_result', 'type', 'raw_type'], play: modifyTypes },
  remove: { keys: RANGE_KEYS, play: remove },
  eaccept: { keys: [...CALL_KEYS, 'page'], play: eaccept },
  emodpe: { keys: [...CALL_KEYS, 'page', 'perms'], play: emodpe },
};

function restrict(context: PlayContext, step: StepObject): Played {
  const permissions = number(step, 'raw_perms', protOf(text(step, 'perms', 'r')));
  return call(context, step, (cpu, enclave, range) => {
    return context.epc.driver.restrictPermissions.run(cpu.thread, enclave, { ...range, permissions });
  });
}

function modifyTypes(context: PlayContext, step: StepObject): Played {
  const type = number(step, 'raw_type', PageType[choice(step, 'type', ['TCS', 'TRIM'], 'TRIM')]);
  return call(context, step, (cpu, enclave, range) => {
    return context.epc.driver.modifyTypes.run(cpu.thread, enclave, { ...range, type });
  });
}

function remove(context: PlayContext, step: StepObject): Played {
  return call(context, step, (cpu, enclave, range) => {
    return context.epc.driver.removePages.run(cpu.thread, enclave, range);
  });
}

type DynamicCall = (cpu: UserCpu, enclave: Enclave, range: DynamicArgument) => Routine<DynamicResult>;

function call(context: PlayContext, step: StepObject, ioctl: DynamicCall): Played {
  const name = text(step, 'encl');
  const range = rangeOf(step);
  const done = context.call(step, name, (cpu) => ioctl(cpu, context.enclave(name), range));
  return {
    r: errnoWord(done.result),
    count: Math.floor(done.count),
    ...(done.leafResult === 0 ? {} : { result: done.leafResult }),
  };
}

/** Pages, or bytes as they are in the argument of the call. */
function rangeOf(step: StepObject): DynamicArgument {
  return {
    page: number(step, 'offset', integer(step, 'page', 0) * PAGE_BYTES) / PAGE_BYTES,
    count: number(step, 'length', integer(step, 'count', 1) * PAGE_BYTES) / PAGE_BYTES,
    countBefore: number(step, 'in_count', 0) / PAGE_BYTES,
    resultBefore: number(step, 'in_result', 0),
    isArgumentBad: flag(step, 'bad_arg'),
  };
}

/**
 * The enclave accepts what it finds: it names rights, state and type that the page has. There is nothing to accept
 * on a page without a change, so it is taken to wait for a new page there.
 */
function eaccept(context: PlayContext, step: StepObject): Played {
  const { epc, names } = context;
  return enclu(context, step, (cpu, page, linearPage) => {
    const { flags, type } = epc.hardware.entry(page);
    const isChanged = (flags & (SecInfo.PENDING | SecInfo.MODIFIED | SecInfo.PR)) !== 0;
    const secinfo = isChanged ? flags | (type << SecInfo.TYPE_SHIFT) : AUGMENTED_SECINFO | SecInfo.PENDING;
    const result = epc.hardware.eaccept(cpu.id, page, linearPage, secinfo);
    const word = acceptWords[result];
    return word === undefined
      ? null
      : (access) => ({ r: word, ...faultsOnly(access), epc: names.page(page) });
  });
}

const acceptWords: Readonly<Record<LeafResult, string>> = {
  [SgxCode.SUCCESS]: 'ACCEPTED',
  [SgxCode.PAGE_ATTRIBUTES_MISMATCH]: 'ATTR_MISMATCH',
  [SgxCode.NOT_TRACKED]: 'NOT_TRACKED',
};

function emodpe(context: PlayContext, step: StepObject): Played {
  const { epc } = context;
  const secinfo = protOf(text(step, 'perms', 'rw')) | (PageType.REG << SecInfo.TYPE_SHIFT);
  const enclave = context.enclave(text(step, 'encl'));
  return enclu(context, step, (cpu, page, linearPage) => {
    if (epc.hardware.emodpe(cpu.id, page, linearPage, secinfo) !== SgxCode.SUCCESS) return null;
    return (access) => ({ r: 'OK', ...faultsOf(context, access, enclave, integer(step, 'page', 0)) });
  });
}

/** A leaf of enclave code on the page that was reached. @returns how to say what came of it; null: it faulted */
type EncluLeaf = (
  cpu: UserCpu,
  page: number,
  linearPage: number,
) => ((access: AccessResult) => Played) | null;

/**
 * A leaf of enclave code: the access path of a read, then the leaf. The thread need not have entered: code outside
 * is taken for code of the enclave that has the page.
 */
function enclu(context: PlayContext, step: StepObject, leaf: EncluLeaf): Played {
  const name = text(step, 'encl');
  const index = integer(step, 'page', 0);
  const cpu = context.cpu(step);
  const enclave = context.enclave(name);
  const { hardware } = context.epc;
  const result = access(context, step, cpu, name, index, Access.READ);
  const refused = {
    r: accessWord(context, enclave, index, result),
    ...faultsOf(context, result, enclave, index),
  };
  if (!isReached(result)) return refused;
  const page = cpu.process?.mm.table(enclave.id)?.frame(index) ?? NONE;
  const inside = hardware.insideOf(cpu.id);
  const secs = inside === NONE ? hardware.entry(page).secs : inside;
  const said = hardware.within(cpu.id, secs, () => leaf(cpu, page, enclave.linearPage(index)));
  return said === null ? refused : said(result);
}

/** Did the access get as far as the hardware? Whether that allows a read is not the leaf's business. */
function isReached({ outcome }: AccessResult): boolean {
  return outcome === AccessOutcome.HIT || outcome === AccessOutcome.OK || outcome === AccessOutcome.EPCM;
}
