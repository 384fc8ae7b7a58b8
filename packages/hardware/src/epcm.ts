import type { EpcmEntry, PageIndex, PageTypeId } from '@epckit/interface';
import { NONE, PageType, SecInfo } from '@epckit/interface';

// State column: SECINFO bits R … PR in 5:0, BLOCKED in 6, VALID in 7, page type in 10:8, TCS.STATE in 11,
// poison in 12. A free entry has every bit but poison 0.
// Bits 5:0 and 10:8 are laid out as PCMD.SECINFO.FLAGS, so EWB and ELDU copy them with one mask.
const FLAGS = 0x3f;
const BLOCKED = 0x40;
const VALID = 0x80;
const TYPE = 0x700;
const ACTIVE = 0x800;
const POISON = 0x1000;
const SECINFO = FLAGS | TYPE;
const SECS = PageType.SECS << SecInfo.TYPE_SHIFT;
const VA = PageType.VA << SecInfo.TYPE_SHIFT;

/** Page types with an owning SECS, one bit each. */
const CHILD_TYPES = (1 << PageType.TCS) | (1 << PageType.REG) | (1 << PageType.TRIM);
const SHADOW_STACK_TYPES = (1 << PageType.SS_FIRST) | (1 << PageType.SS_REST);

/**
 * The EPCM: one entry per EPC page in five private columns, 26 bytes per page.
 *
 * An all-zero entry is a free page, so a new EPCM needs no initialisation. Columns other than the state
 * are meaningless while VALID is 0.
 */
export class Epcm {
  /** Number of EPC pages. */
  readonly pageCount: number;
  /** Counts changes of VALID, type, permissions and BLOCKED. */
  changes = 0;
  /** Valid entries. */
  validCount = 0;
  /** Page types that belong to a SECS, one bit each. */
  readonly #childTypes: number;
  /** VALID, BLOCKED, SECINFO flags, type, TCS.STATE, poison: 2 bytes. */
  readonly #state: Uint16Array;
  /** ENCLAVESECS of a child; slot of a SECS in its table; array of a VA page: 4 bytes. */
  readonly #link: Int32Array;
  /** Epoch of the last EBLOCK, EMODPR or EMODT, 0 is none: 4 bytes. */
  readonly #trackEpoch: Uint32Array;
  /** ENCLAVEADDRESS / 4096: 8 bytes. */
  readonly #linearPage: Float64Array;
  /** Tag of the 4096 bytes: 8 bytes. */
  readonly #contents: Float64Array;

  /** @param hasShadowStacks - are the shadow-stack types enumerated, and so child types? */
  constructor(pageCount: number, hasShadowStacks: boolean) {
    this.pageCount = pageCount;
    this.#childTypes = hasShadowStacks ? CHILD_TYPES | SHADOW_STACK_TYPES : CHILD_TYPES;
    this.#state = new Uint16Array(pageCount);
    this.#link = new Int32Array(pageCount);
    this.#trackEpoch = new Uint32Array(pageCount);
    this.#linearPage = new Float64Array(pageCount);
    this.#contents = new Float64Array(pageCount);
  }

  /** Does the operand resolve to an EPC page? Not negative, not a fraction, within the EPC. */
  isEpc(page: PageIndex): boolean {
    return page >>> 0 === page && page < this.pageCount;
  }
  /** VALID. */
  isValid(page: PageIndex): boolean {
    return (this.#stateOf(page) & VALID) !== 0;
  }
  /** Valid SECS page? */
  isSecs(page: PageIndex): boolean {
    return (this.#stateOf(page) & (VALID | TYPE)) === (VALID | SECS);
  }
  /** Valid version array page? */
  isVersionArray(page: PageIndex): boolean {
    return (this.#stateOf(page) & (VALID | TYPE)) === (VALID | VA);
  }
  /** Valid page with an owning SECS? */
  isChild(page: PageIndex): boolean {
    return this.isValid(page) && this.isChildType(this.type(page));
  }
  /** Does a page of this type (any byte) belong to a SECS? */
  isChildType(type: number): boolean {
    return type < 8 && ((this.#childTypes >> type) & 1) === 1;
  }
  /** Is the memory of the page broken? Holds for free pages too. */
  isPoisoned(page: PageIndex): boolean {
    return (this.#stateOf(page) & POISON) !== 0;
  }
  /** PT. */
  type(page: PageIndex): PageTypeId {
    return ((this.#stateOf(page) & TYPE) >> SecInfo.TYPE_SHIFT) as PageTypeId;
  }
  /** R, W, X, PENDING, MODIFIED, PR. */
  flags(page: PageIndex): number {
    return this.#stateOf(page) & FLAGS;
  }
  /** Flags and type as EWB writes them to PCMD.SECINFO.FLAGS. */
  secinfo(page: PageIndex): number {
    return this.#stateOf(page) & SECINFO;
  }
  /** BLOCKED. */
  isBlocked(page: PageIndex): boolean {
    return (this.#stateOf(page) & BLOCKED) !== 0;
  }
  /** TCS.STATE of a TCS page. */
  isActive(page: PageIndex): boolean {
    return (this.#stateOf(page) & ACTIVE) !== 0;
  }
  /** SECS page of a child; table slot of a SECS; version array of a VA page. */
  link(page: PageIndex): number {
    return this.#link[page] as number;
  }
  /** ENCLAVEADDRESS / 4096. */
  linearPage(page: PageIndex): number {
    return this.#linearPage[page] as number;
  }
  /** Epoch of the last EBLOCK, EMODPR or EMODT, 0 for none. */
  trackEpoch(page: PageIndex): number {
    return this.#trackEpoch[page] as number;
  }
  /** Tag of the contents. */
  contents(page: PageIndex): number {
    return this.#contents[page] as number;
  }

  /** Makes a free entry valid: not blocked, never tracked. */
  install(page: PageIndex, secinfo: number, link: number, linearPage: number, contents: number): void {
    this.#state[page] = (this.#stateOf(page) & POISON) | VALID | (secinfo & SECINFO);
    this.validCount++;
    this.#link[page] = link;
    this.#trackEpoch[page] = 0;
    this.#linearPage[page] = linearPage;
    this.#contents[page] = contents;
    this.changes++;
  }
  /** Makes an entry free. */
  free(page: PageIndex): void {
    this.#state[page] = this.#stateOf(page) & POISON;
    this.validCount--;
    this.changes++;
  }
  /** Sets BLOCKED and notes the epoch. */
  block(page: PageIndex, epoch: number): void {
    this.#state[page] = this.#stateOf(page) | BLOCKED;
    this.#trackEpoch[page] = epoch;
    this.changes++;
  }
  /** Replaces flags and type; BLOCKED and epoch stay. */
  setSecinfo(page: PageIndex, secinfo: number): void {
    this.#state[page] = (this.#stateOf(page) & ~SECINFO) | (secinfo & SECINFO);
    this.changes++;
  }
  /** Replaces flags and type and notes the epoch: EMODPR and EMODT. */
  modify(page: PageIndex, secinfo: number, epoch: number): void {
    this.setSecinfo(page, secinfo);
    this.#trackEpoch[page] = epoch;
  }
  /** Drops the epoch: the change that it stood for was accepted. */
  accept(page: PageIndex, secinfo: number): void {
    this.modify(page, secinfo, 0);
  }
  /** The memory of the page is broken from now on: no EPCM change. */
  poison(page: PageIndex): void {
    this.#state[page] = this.#stateOf(page) | POISON;
  }
  /** Replaces the contents tag; no EPCM change. */
  setContents(page: PageIndex, contents: number): void {
    this.#contents[page] = contents;
  }
  /** Sets TCS.STATE, which is in the page and not in the EPCM: no EPCM change. */
  setActive(page: PageIndex, active: boolean): void {
    const state = this.#stateOf(page);
    this.#state[page] = active ? state | ACTIVE : state & ~ACTIVE;
  }
  /** Frees every entry; poison goes too. */
  clear(): void {
    this.#state.fill(0);
    this.validCount = 0;
    this.changes++;
  }

  /** Copies an entry for reports; free entries show zeros. */
  entry(page: PageIndex): EpcmEntry {
    if (!this.isEpc(page) || !this.isValid(page)) {
      return { valid: false, type: 0, flags: 0, blocked: false, secs: NONE, linearPage: 0, contents: 0 };
    }
    return {
      valid: true,
      type: this.type(page),
      flags: this.flags(page),
      blocked: this.isBlocked(page),
      secs: this.isChild(page) ? this.link(page) : NONE,
      linearPage: this.linearPage(page),
      contents: this.contents(page),
    };
  }

  #stateOf(page: PageIndex): number {
    return this.#state[page] as number;
  }
}
