import type { LaunchControl } from '@epckit/interface';
import type { HardwareModel } from './hardware-model.js';

/**
 * Launch control of a processor, or null: its launch key is fixed.
 *
 * [model] All logical processors share the four MSRs. Software cannot tell: it writes them right before each EINIT.
 */
export function launchControlOf({
  features,
  platform,
}: Pick<HardwareModel, 'features' | 'platform'>): LaunchControl | null {
  if (!features.launchControl) return null;
  return {
    writeHash: (_, hash) => {
      platform.launchKeyHash = hash;
    },
  };
}
