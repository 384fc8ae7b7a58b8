import type { AddArgument } from '../add-pages.js';
import type { CreateArgument } from '../create.js';
import type { DynamicArgument, DynamicResult } from '../dynamic-ioctl.js';
import type { ModifyTypesArgument } from '../modify-types.js';
import type { RestrictArgument } from '../restrict.js';
import type { SgxIoctlArgument } from './ioctls.js';
import { PAGE_MEASURE } from './ioctls.js';
import type { SecInfoStruct } from './secinfo.js';
import { secInfoFields } from './secinfo.js';
import type { SecsStruct } from './secs.js';

const PAGE_BYTES = 4096;

/** Argument of `Create` from the SECS that `src` points to. */
export function createArgument({ size, base, attributes }: SecsStruct): CreateArgument {
  return {
    pageCount: pages(size),
    basePage: pages(base),
    attributes: Number(BigInt.asUintN(32, attributes)),
  };
}

/** Argument of `AddPages` from its structure and the SECINFO that `secinfo` points to. */
export function addArgument(argument: SgxIoctlArgument<'ADD_PAGES'>, secinfo: SecInfoStruct): AddArgument {
  return {
    page: pages(argument.offset),
    count: pages(argument.length),
    isMeasured: (argument.flags & PAGE_MEASURE) !== 0n,
    source: Number.isInteger(pages(argument.src)) ? 'good' : 'misaligned',
    ...secInfoFields(secinfo),
  };
}

/** Argument of `RestrictPermissions` from its structure. */
export function restrictArgument(argument: SgxIoctlArgument<'RESTRICT_PERMISSIONS'>): RestrictArgument {
  const resultBefore = Number(argument.result);
  return { ...rangeOf(argument), resultBefore, permissions: Number(argument.permissions) };
}

/** Argument of `ModifyTypes` from its structure. */
export function modifyTypesArgument(argument: SgxIoctlArgument<'MODIFY_TYPES'>): ModifyTypesArgument {
  return { ...rangeOf(argument), resultBefore: Number(argument.result), type: Number(argument.page_type) };
}

/** Argument of `RemovePages` from its structure. */
export function removeArgument(argument: SgxIoctlArgument<'REMOVE_PAGES'>): DynamicArgument {
  return rangeOf(argument);
}

/** Fields that a dynamic-memory call writes into its structure. */
export interface WrittenBack {
  /** Bytes done. */
  readonly count: bigint;
  /** Code of the last leaf. */
  readonly result: bigint;
}

/** What the call writes back into the structure: `count` in bytes, and the code of a leaf. */
export function writtenBack({ count, leafResult }: DynamicResult): WrittenBack {
  return { count: BigInt(count * PAGE_BYTES), result: BigInt(leafResult) };
}

function rangeOf(argument: { readonly offset: bigint; readonly length: bigint; readonly count: bigint }) {
  const { offset, length, count } = argument;
  return { page: pages(offset), count: pages(length), countBefore: pages(count) };
}

/** No enclave has so many pages; from here on a number of pages need not be exact. */
const BEYOND = 2 ** 40;

/** Bytes as pages, a fraction if they are not aligned. */
function pages(bytes: bigint): number {
  const rest = Number(bytes % BigInt(PAGE_BYTES));
  const whole = Number(bytes / BigInt(PAGE_BYTES));
  return rest === 0 ? whole : Math.min(whole, BEYOND) + rest / PAGE_BYTES;
}
