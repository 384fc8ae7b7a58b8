import type { HardwareModel } from '@epckit/hardware';
import type { CpuId, LeafId, LeafResult, PageIndex } from '@epckit/interface';
import { Leaf } from '@epckit/interface';

/** Decides about each leaf before it is executed. */
export interface LeafFailures {
  /** Result that `leaf` is to have without being executed, or null: it is executed. */
  resultOf(leaf: LeafId): LeafResult | null;
}

/** Hears of each leaf that was not executed; `page` is its main operand. */
export type LeafFailed = (leaf: LeafId, page: PageIndex, result: LeafResult) => void;

type LeafMethod = (cpu: CpuId, page: PageIndex, ...operands: unknown[]) => LeafResult;

/**
 * Hardware whose leaves fail when `failures` says so: such a leaf changes nothing, and the hardware behind does
 * not hear of it. Everything else goes through, so that leaves which the model learns later can fail as well.
 */
export function failingHardware(
  hardware: HardwareModel,
  failures: LeafFailures,
  onFailure: LeafFailed,
): HardwareModel {
  const methods = new Map<PropertyKey, unknown>();
  const methodOf = (name: PropertyKey, method: LeafMethod): unknown => {
    const bound = method.bind(hardware);
    const leaf = leafByMethod.get(name);
    if (leaf === undefined) return bound;
    return (cpu: CpuId, page: PageIndex, ...operands: unknown[]): LeafResult => {
      const result = failures.resultOf(leaf);
      if (result === null) return bound(cpu, page, ...operands);
      onFailure(leaf, page, result);
      return result;
    };
  };
  return new Proxy(hardware, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (!methods.has(name)) methods.set(name, methodOf(name, value as LeafMethod));
      return methods.get(name);
    },
  });
}

/** Leaves by the name of their method: lower case. */
const leafByMethod: ReadonlyMap<PropertyKey, LeafId> = new Map(
  Object.entries(Leaf).map(([name, leaf]) => [name.toLowerCase(), leaf]),
);
