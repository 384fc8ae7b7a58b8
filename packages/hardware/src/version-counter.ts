/** [model] First version and step: bits 2:0 are 0, so that EWB and EDBGRD agree on which slots are occupied. */
const VERSION_STEP = 8;

/** Package-wide counter of versions (SDM vol. 3D, CR_PAGING_VERSION): 8, 16, 24 …, never 0, never again. */
export class VersionCounter {
  #last = 0;

  /** Version that was given out last, 0 for none. */
  get last(): number {
    return this.#last;
  }
  /** Takes a fresh version. */
  take(): number {
    this.#last += VERSION_STEP;
    return this.#last;
  }
}
