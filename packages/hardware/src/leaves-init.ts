import type { CpuId, InitToken, LeafResult, PageIndex, SigStruct } from '@epckit/interface';
import { Attribute, LeafFault, Mode, SgxCode } from '@epckit/interface';
import { ConflictRows } from './conflicts.js';
import { FaultOperand } from './faults.js';
import { measurementOf } from './measurement.js';
import type { Parts } from './parts.js';
import type { EnclaveEntry } from './secs-table.js';

const NO_SIGNER = '0'.repeat(64);

/** EINIT (SDM vol. 3D): ends the building phase. */
export function einit(
  parts: Parts,
  cpu: CpuId,
  secs: PageIndex,
  signature: SigStruct,
  token?: InitToken,
): LeafResult {
  const { epcm, secsTable, accesses } = parts;
  const refusal = refuseBefore(parts, cpu, secs, signature);
  if (refusal !== 0) return refusal;
  const slot = epcm.link(secs);
  const measurement = measurementOf(secsTable, slot);
  const entry = secsTable.entry(slot);
  const verdict = judge(parts, entry, measurement, signature, token);
  if (verdict !== 0) return verdict;

  const { signer = '', productId = 0, securityVersion = 0 } = signature;
  secsTable.initialise(slot, { measurement, signer: signer.toLowerCase(), productId, securityVersion });
  accesses.entry(secs, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** Rows 3 to 10. [corrected] "Already initialised" is in the SDM's list of exceptions only: #GP. */
function refuseBefore(parts: Parts, cpu: CpuId, secs: PageIndex, signature: SigStruct): LeafResult {
  const { epcm, secsTable, locks, accesses, faults } = parts;
  if (!epcm.isEpc(secs)) return faults.notEpc(FaultOperand.PAGE, secs);
  if (signature.isWellFormed === false) return SgxCode.INVALID_SIG_STRUCT;
  if (parts.platform.takeEvent(cpu)) return SgxCode.UNMASKED_EVENT;
  if (signature.isAuthentic === false) return SgxCode.INVALID_SIGNATURE;
  let conflict = locks.judge(cpu, ConflictRows.EINIT_SECS, secs);
  if (conflict !== 0) return conflict;
  accesses.entry(secs, Mode.READ);
  if (!epcm.isSecs(secs)) return faults.at(FaultOperand.PAGE);
  const slot = epcm.link(secs);
  const hasFamily = signature.isFamilyIdZero === false;
  if (hasFamily && !secsTable.has(slot, Attribute.KSS)) return SgxCode.INVALID_SIG_STRUCT;
  conflict = locks.judge(cpu, ConflictRows.EINIT_MEASURE, secs);
  if (conflict !== 0) return conflict;
  return secsTable.isInitialised(slot) ? LeafFault.GP : SgxCode.SUCCESS;
}

/** Rows 11 to 16: what was built against what was signed. [corrected] "Invalid EINIT attribute" is code 2. */
function judge(
  parts: Parts,
  entry: EnclaveEntry,
  measurement: string,
  signature: SigStruct,
  token: InitToken | undefined,
): LeafResult {
  const expected = signature.measurement;
  if (expected !== undefined && expected.toLowerCase() !== measurement) return SgxCode.INVALID_MEASUREMENT;
  const isLaunchSigner = isAuthorised(parts, signature);
  if ((entry.attributes & Attribute.EINITTOKENKEY) !== 0 && !isLaunchSigner) return SgxCode.INVALID_ATTRIBUTE;
  if (!agrees(entry, signature)) return SgxCode.INVALID_ATTRIBUTE;
  if (token?.isValid !== true) return isLaunchSigner ? SgxCode.SUCCESS : SgxCode.INVALID_EINITTOKEN;
  return judgeToken(entry, measurement, signature, token);
}

/** Is the signer the one in the launch key hash registers? */
function isAuthorised({ platform }: Parts, { signer }: SigStruct): boolean {
  return signer === undefined || signer.toLowerCase() === platform.launchKeyHash;
}

/** Rows 13 to 15. */
function agrees(entry: EnclaveEntry, signature: SigStruct): boolean {
  const { attributes = 0, attributeMask = 0, xfrm = 0n, xfrmMask = 0n } = signature;
  const { miscSelect = 0, miscMask = 0, cetAttributes = 0, cetMask = 0 } = signature;
  return (
    ((entry.attributes ^ attributes) & attributeMask) === 0 &&
    ((entry.xfrm ^ xfrm) & xfrmMask) === 0n &&
    ((entry.miscSelect ^ miscSelect) & miscMask) === 0 &&
    ((entry.cetAttributes ^ cetAttributes) & cetMask) === 0
  );
}

/** Rows 17 to 21. */
function judgeToken(
  entry: EnclaveEntry,
  measurement: string,
  signature: SigStruct,
  token: InitToken,
): LeafResult {
  if (token.isWellFormed === false) return SgxCode.INVALID_EINITTOKEN;
  if (token.isCpuSvnKnown === false) return SgxCode.INVALID_CPUSVN;
  if (token.isAuthentic === false) return SgxCode.INVALID_EINITTOKEN;
  const signer = (signature.signer ?? NO_SIGNER).toLowerCase();
  const isMeant = token.measurement.toLowerCase() === measurement && token.signer.toLowerCase() === signer;
  if (!isMeant) return SgxCode.INVALID_MEASUREMENT;
  const hasSame = token.attributes === entry.attributes && (token.xfrm ?? entry.xfrm) === entry.xfrm;
  return hasSame ? SgxCode.SUCCESS : SgxCode.INVALID_ATTRIBUTE;
}
