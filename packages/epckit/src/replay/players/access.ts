import type { Enclave } from '@epckit/enclave';
import { FaultResult } from '@epckit/enclave';
import type { AccessKind, EpcmCheckResult } from '@epckit/interface';
import { Access, EpcmCheck, NONE, PageType } from '@epckit/interface';
import type { AccessOutcomeId, AccessRecord } from '../../access.js';
import { AccessOutcome, createAccessRecord } from '../../access.js';
import type { UserCpu } from '../../user-cpu.js';
import type { StepObject } from '../step.js';
import { flag, integer, text } from '../step.js';
import type { PlayContext } from './context.js';
import type { Family, Played } from './family.js';
import { CALL_KEYS } from './family.js';

/** An access takes at most this many faults. */
export const MAX_FAULTS = 3;

const outcomeWords: Readonly<Record<number, string>> = {
  [AccessOutcome.HIT]: 'HIT',
  [AccessOutcome.OK]: 'OK',
  [AccessOutcome.SIGBUS]: 'SIGBUS',
  [AccessOutcome.OOM]: 'OOM',
  [AccessOutcome.MAPERR]: 'MAPERR',
  [AccessOutcome.ACCERR]: 'ACCERR',
  [AccessOutcome.RETRY_LIMIT]: 'RETRY_LIMIT',
};

/** Words for results of faults. */
export const faultWords: Readonly<Record<number, string>> = {
  [FaultResult.NOPAGE]: 'NOPAGE',
  [FaultResult.SIGBUS]: 'SIGBUS',
  [FaultResult.OOM]: 'OOM',
  [FaultResult.RETRY]: 'RETRY',
};

/** Outcome and record of an access. */
export interface AccessResult extends AccessRecord {
  readonly outcome: AccessOutcomeId;
}

/** Accesses of user code. */
export const accessFamily: Family = {
  touch: {
    keys: [...CALL_KEYS, 'page', 'write'],
    play: (context, step) => touch(context, step, flag(step, 'write') ? Access.WRITE : Access.READ),
  },
  exec: {
    keys: [...CALL_KEYS, 'page'],
    play: (context, step) => touch(context, step, Access.EXECUTE),
  },
};

function touch(context: PlayContext, step: StepObject, kind: AccessKind): Played {
  const name = text(step, 'encl');
  const page = integer(step, 'page', 0);
  const cpu = context.cpu(step);
  const enclave = context.accessed(name);
  const result = access(context, step, cpu, name, page, kind);
  return { r: accessWord(context, enclave, page, result), ...faultsOf(context, result, enclave, page) };
}

/** One access of the step's process on `cpu`, with its faults. */
export function access(
  context: PlayContext,
  step: StepObject,
  cpu: UserCpu,
  name: string,
  page: number,
  kind: AccessKind,
): AccessResult {
  const { accesses } = context.epc;
  const enclave = context.accessed(name);
  context.run(cpu, cpu.load(context.process(step, name)));
  const record = createAccessRecord();
  const outcome = context.run(cpu, accesses.access(cpu, enclave, page, kind, MAX_FAULTS, record));
  return { outcome, ...record };
}

/** Faults of an access, and the EPC page that was reached after them. */
export function faultsOf(context: PlayContext, result: AccessResult, enclave: Enclave, page: number): Played {
  if (result.faults.length === 0) return {};
  const reached = result.outcome === AccessOutcome.OK || result.outcome === AccessOutcome.EPCM;
  const epc = enclave.records.epc(page);
  return {
    f: result.faults.map((fault) => faultWords[fault]),
    ...(reached && epc !== NONE ? { epc: context.names.page(epc) } : {}),
  };
}

/** Results of the faults of an access. */
export function faultsOnly(result: AccessResult): Played {
  return result.faults.length === 0 ? {} : { f: result.faults.map((fault) => faultWords[fault]) };
}

/** Word for how an access ended. */
export function accessWord(
  context: PlayContext,
  enclave: Enclave,
  page: number,
  result: AccessResult,
): string {
  return outcomeWords[result.outcome] ?? refusalWord(context, enclave, page, result.check);
}

/** Word for an access that the EPCM refuses. */
function refusalWord(context: PlayContext, enclave: Enclave, page: number, check: EpcmCheckResult): string {
  if (check === EpcmCheck.PENDING) return 'PENDING';
  if (check === EpcmCheck.MODIFIED) return 'MODIFIED';
  if (check !== EpcmCheck.TYPE) return 'EPCM_PERM';
  const { type } = context.epc.hardware.entry(enclave.records.epc(page));
  return type === PageType.TCS ? 'TCS' : 'TRIM';
}
