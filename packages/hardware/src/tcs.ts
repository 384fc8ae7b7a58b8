import type { PageIndex } from '@epckit/interface';
import type { Epcm } from './epcm.js';

/** Tags are below this, so that the hidden bytes of a TCS page fit above its tag. */
export const CONTENTS_LIMIT = 2 ** 40;

/** Frames of a TCS's save state area; the field NSSA is not an operand yet. */
const FRAME_COUNT = 2 ** 12;

/** TCS.CSSA. It is part of the page's bytes, so it is part of its tag and travels with EWB and ELDU. */
export function cssaOf(epcm: Epcm, tcs: PageIndex): number {
  return Math.floor(epcm.contents(tcs) / CONTENTS_LIMIT);
}

/** Is there no free frame for one more asynchronous exit? */
export function isLastFrameUsed(epcm: Epcm, tcs: PageIndex): boolean {
  return cssaOf(epcm, tcs) >= FRAME_COUNT;
}

/** Adds to TCS.CSSA. */
export function addCssa(epcm: Epcm, tcs: PageIndex, count: number): void {
  epcm.setContents(tcs, epcm.contents(tcs) + count * CONTENTS_LIMIT);
}
