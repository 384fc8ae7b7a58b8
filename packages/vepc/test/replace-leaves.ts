import type { HardwareModel } from '@epckit/hardware';
import type { SgxHardware } from '@epckit/interface';

/** The hardware with single leaves replaced; everything else goes to the real one. */
export function replaceLeaves(real: HardwareModel, replaced: Partial<SgxHardware>): HardwareModel {
  return new Proxy(real, {
    get: (target, key) => {
      const value = Reflect.get(replaced, key) ?? Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
