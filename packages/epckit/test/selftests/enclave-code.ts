import type { AccessKind } from '@epckit/interface';
import { Access, PageType, Prot, SecInfo } from '@epckit/interface';

/** One instruction of enclave code. It is executed as often as it takes until it does not fault. */
export type Instruction =
  /** load, store of `value`, or fetch */
  | { readonly do: 'access'; readonly kind: AccessKind; readonly page: number; readonly value?: number }
  /** ENCLU leaf on `page` */
  | { readonly do: 'eaccept' | 'emodpe'; readonly page: number; readonly secinfo: number };

/** Enclave code: instructions, each of which gives what it loads, or RAX of its leaf. @returns what comes out */
export type Code = Generator<Instruction, number, number>;

const REG = PageType.REG << SecInfo.TYPE_SHIFT;
const RW = Prot.R | Prot.W;

/** What enclave code expects of a page in EACCEPT. */
export const Expected = {
  /** a page that EAUG has added */
  ADDED: RW | REG | SecInfo.PENDING,
  /** a page whose rights EMODPR has reduced to R */
  READ_ONLY: Prot.R | REG | SecInfo.PR,
  /** a page that EMODT has made a TCS */
  TCS: (PageType.TCS << SecInfo.TYPE_SHIFT) | SecInfo.MODIFIED,
  /** a page that EMODT has trimmed */
  TRIMMED: (PageType.TRIM << SecInfo.TYPE_SHIFT) | SecInfo.MODIFIED,
} as const;

/** Nothing (`ENCL_OP_NOP`). */
export function* nop(): Code {
  return 0;
}

/** Stores a value (`ENCL_OP_PUT_TO_BUFFER`, `ENCL_OP_PUT_TO_ADDRESS`). */
export function* put(page: number, value: number): Code {
  return yield { do: 'access', kind: Access.WRITE, page, value };
}

/** Loads a value (`ENCL_OP_GET_FROM_BUFFER`, `ENCL_OP_GET_FROM_ADDRESS`). */
export function* get(page: number): Code {
  return yield { do: 'access', kind: Access.READ, page };
}

/** EACCEPT of one page (`ENCL_OP_EACCEPT`). @returns code of the leaf */
export function* eaccept(page: number, secinfo: number): Code {
  return yield { do: 'eaccept', page, secinfo };
}

/** EMODPE of one page (`ENCL_OP_EMODPE`). @returns code of the leaf */
export function* emodpe(page: number, prot: number): Code {
  return yield { do: 'emodpe', page, secinfo: prot | REG };
}

/** Fills a page so that it can become a TCS (`ENCL_OP_INIT_TCS_PAGE`). Its fields are one value here. */
export function* initTcs(page: number): Code {
  return yield { do: 'access', kind: Access.WRITE, page, value: TCS_FIELDS };
}

const TCS_FIELDS = 0x7c5;
