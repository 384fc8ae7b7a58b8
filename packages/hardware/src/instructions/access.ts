import type { AccessKind, CpuId } from '@epckit/interface';
import type { TranslatedId } from '../translate.js';
import { pageFaultCode, Translated } from '../translate.js';
import type { ProcessorComponents } from './instruction.js';
import { isCanonical, linearPageOf } from './memory.js';
import type { FaultOutcome } from './outcome.js';
import { fault, GP, Vector } from './outcome.js';

/** The access has a translation: it goes on, or to an abort page. */
export interface TranslatedAccess {
  /** Tells outcomes apart. */
  readonly kind: 'done';
  /** HIT, FILLED or ABORT_PAGE. */
  readonly translated: TranslatedId;
}

/** How an access by user code ended: with a translation, or with a fault. */
export type AccessOutcome = TranslatedAccess | FaultOutcome;

/**
 * The access as TLB, page table and EPCM judge it (SDM vol. 3D, 38.3), without the exit that a fault inside an enclave
 * causes. An address that is not canonical is #GP before anything else; the stack's #SS is not modelled.
 */
export function judgeAccess(
  { hardware, memory }: ProcessorComponents,
  cpu: CpuId,
  address: bigint,
  kind: AccessKind,
): AccessOutcome {
  if (!isCanonical(address, hardware.features.linearAddressBits)) return GP;
  const mapping = memory.lookup(cpu, linearPageOf(address));
  const translated = hardware.access(cpu, linearPageOf(address), mapping, kind);
  if (translated === Translated.MACHINE_CHECK) return fault(Vector.MC);
  if (translated === Translated.GENERAL_PROTECTION) return GP;
  if (translated === Translated.EPCM_FAULT && hardware.features.epcmFault === 'GP') return GP;
  const errorCode = pageFaultCode(translated, kind, mapping !== null);
  return errorCode === 0 ? { kind: 'done', translated } : fault(Vector.PF, errorCode, address);
}
