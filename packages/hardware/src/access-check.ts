import type { AccessKind, EpcmCheckResult, PageIndex } from '@epckit/interface';
import { Access, EpcmCheck, Mode, PageType, SecInfo } from '@epckit/interface';
import type { Parts } from './parts.js';

/** EPCM check of a translation that enclave code makes inside ELRANGE (SDM vol. 3D, 38.3); first match. */
export function checkAccess(
  parts: Parts,
  secs: PageIndex,
  page: PageIndex,
  linearPage: number,
  kind: AccessKind,
): EpcmCheckResult {
  const { epcm } = parts;
  if (!epcm.isEpc(page)) return EpcmCheck.INVALID;
  parts.accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return EpcmCheck.INVALID;
  if (epcm.isBlocked(page)) return EpcmCheck.BLOCKED;
  const flags = epcm.flags(page);
  if ((flags & SecInfo.PENDING) !== 0) return EpcmCheck.PENDING;
  if ((flags & SecInfo.MODIFIED) !== 0) return EpcmCheck.MODIFIED;
  if (epcm.type(page) !== PageType.REG) return EpcmCheck.TYPE;
  if (epcm.link(page) !== secs) return EpcmCheck.OWNER;
  if (epcm.linearPage(page) !== linearPage) return EpcmCheck.ADDRESS;
  if ((flags & permission(kind)) === 0) return EpcmCheck.PERMISSION;
  return epcm.isPoisoned(page) ? EpcmCheck.POISON : EpcmCheck.OK;
}

/** SECINFO bit that an access needs. */
export function permission(kind: AccessKind): number {
  if (kind === Access.READ) return SecInfo.R;
  return kind === Access.WRITE ? SecInfo.W : SecInfo.X;
}
