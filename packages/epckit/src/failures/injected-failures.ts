import type { KernelCall, KernelFailures } from '@epckit/enclave';
import type { LeafId, LeafResult } from '@epckit/interface';

/** What can be made to fail: a call into the kernel, a page of a backing file, or a leaf. */
export type FailurePoint = KernelCall | 'shmem_page' | 'encls';

/** Which calls fail. */
export interface Failure {
  /** Calls of this kind. */
  readonly what: FailurePoint;
  /** Good calls before. */
  readonly after: number;
  /** Calls that fail then. */
  readonly count: number;
  /** Leaf that fails; `encls` only. */
  readonly leaf?: LeafId;
  /** What it returns without having done anything. */
  readonly result?: LeafResult;
}

/** Makes chosen calls of a stack fail: the next ones of a kind, after some good ones. */
export class InjectedFailures implements KernelFailures {
  readonly #armed = new Map<string, { readonly failure: Failure; after: number; count: number }>();

  /** Arms a failure; it replaces an earlier one of the same kind and leaf. */
  inject(failure: Failure): void {
    const { after, count } = failure;
    this.#armed.set(keyOf(failure.what, failure.leaf), { failure, after, count });
  }

  fails(what: Exclude<FailurePoint, 'encls'>): boolean {
    return this.#next(keyOf(what)) !== null;
  }

  /** Result that the next execution of `leaf` is to have, or null: it is executed. */
  resultOf(leaf: LeafId): LeafResult | null {
    return this.#next(keyOf('encls', leaf))?.result ?? null;
  }

  /** Counts one call. @returns the failure, or null if the call is good */
  #next(key: string): Failure | null {
    const armed = this.#armed.get(key);
    if (armed === undefined) return null;
    if (armed.after > 0) {
      armed.after--;
      return null;
    }
    armed.count--;
    if (armed.count <= 0) this.#armed.delete(key);
    return armed.failure;
  }
}

function keyOf(what: FailurePoint, leaf?: LeafId): string {
  return leaf === undefined ? what : `${what} ${leaf}`;
}
