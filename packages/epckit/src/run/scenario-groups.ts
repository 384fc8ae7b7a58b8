import type { KillName, VictimPolicyName } from '@epckit/cgroup';
import { MisuseError } from '@epckit/interface';
import type { CgroupSettings } from '../cgroups/settings.js';
import { presetCgroups } from '../presets.js';
import type { PresetName } from './scenario.js';

/** A new limit of a group at some time. */
export interface ScenarioLimit {
  /** When it is written to `misc.max`, from the beginning of the run. */
  readonly atCycles: number;
  /** The limit in bytes; `null`: none. */
  readonly maxBytes: number | null;
}

/** A cgroup of a scenario. */
export interface ScenarioGroup {
  /** Directory from the mount point, such as `/tenants/a`; unique. Those above it need not be listed. */
  readonly path: string;
  /** Its limit when everything begins, in bytes; `null`: none. */
  readonly maxBytes: number | null;
  /** Later limits, in order of time. Default: none. */
  readonly limits?: readonly ScenarioLimit[];
}

/** Cgroups of a scenario and how the controller is set. */
export interface ScenarioCgroups {
  /** Groups, those above before those below. */
  readonly groups: readonly ScenarioGroup[];
  /** Is somebody killed when nothing can be reclaimed? `null` (default): as the design does. */
  readonly kill?: KillName | null;
  /** Who is killed; `null` (default): whom the design takes. */
  readonly victim?: VictimPolicyName | null;
  /** Kernel threads for background reclaim, each on a CPU of its own. Default: 1. */
  readonly workers?: number;
}

/** The controller of a scenario. @throws MisuseError if the preset has none */
export function cgroupSettings(preset: PresetName, cgroups: ScenarioCgroups): CgroupSettings {
  const settings = presetCgroups(preset);
  if (settings === null) {
    throw new MisuseError(`Preset ${preset} has no EPC controller, but the scenario has cgroups.`);
  }
  const { kill = null, victim = null, workers = 1 } = cgroups;
  const design = {
    ...settings.design,
    ...(kill === null ? {} : { kill }),
    ...(victim === null ? {} : { victim }),
  };
  const spareCpus = cgroups.groups.some(({ limits = [] }) => limits.length > 0) ? 1 : 0;
  return { ...settings, design, workers, spareCpus };
}
