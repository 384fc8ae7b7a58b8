import type { RecordId } from '@epckit/interface';

/** Record of a SECS in the frame table; records of pages are their index in the enclave's range. */
export const SECS_RECORD: RecordId = -1;

/** Record of a version array page; `number` counts the enclave's version array pages in order of EPA. */
export function versionArrayRecord(number: number): RecordId {
  return -2 - number;
}

/** Number of a version array page from its record, or `-1` if the record is none. */
export function versionArrayNumber(record: RecordId): number {
  return record <= -2 ? -2 - record : -1;
}
