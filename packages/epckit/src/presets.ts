import { LoadBackKeeping } from '@epckit/paging/recipes';
import type { EpcOptions } from './options.js';

/** Policies and recipes of one system, without its machine. */
export type Preset = Omit<EpcOptions, 'machine' | 'probe' | 'checking'>;

/**
 * Linux 6.12: per-node first-in-first-out pools, node walk by id, second chance over one list, batches of 16,
 * marks 32 and 64, three-stage EWB. Its known peculiarities are kept.
 */
export const linux6: Preset = {};

/**
 * The default: Linux 6.12 with its known defects repaired. So far: a page that could not be loaded keeps its
 * contents in the backing store (L-03).
 */
export const epckit: Preset = {
  paging: { loadBack: (components) => new LoadBackKeeping(components) },
};

/** Presets by the name that scenarios use. */
export const presets = {
  /** {@link linux6} */
  'linux-6': linux6,
  /** {@link epckit} */
  epckit,
} as const;
