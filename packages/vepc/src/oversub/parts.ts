import type { VepcComponents } from '../components.js';
import type { VepcPages } from '../pages.js';
import type { GuestBlocker } from './blocker.js';
import type { OversubComponents } from './components.js';
import type { GuestFaults } from './guest-faults.js';
import type { HostLeaves } from './host-leaves.js';
import type { GuestInstances } from './instances.js';
import type { GuestLoader } from './loader.js';
import type { SecsPins } from './secs-pins.js';
import type { VersionKeeper } from './version-keeper.js';
import type { GuestWriter } from './writer.js';

/** What the steps of host reclaim work with, among it each other. */
export interface OversubParts {
  /** What the driver is made of. */
  readonly components: VepcComponents;
  /** What reclaim needs besides. */
  readonly oversub: OversubComponents;
  /** EREMOVE and freeing. */
  readonly pages: VepcPages;
  /** Instances with reclaim enabled. */
  readonly instances: GuestInstances;
  /** The host's leaves. */
  readonly leaves: HostLeaves;
  /** Keeps SECS pages in the EPC. */
  readonly pins: SecsPins;
  /** Unmaps, classifies, blocks. */
  readonly blocker: GuestBlocker;
  /** Writes pages out. */
  readonly writer: GuestWriter;
  /** Brings pages back. */
  readonly loader: GuestLoader;
  /** Makes pages present. */
  readonly faults: GuestFaults;
  /** Version array pages of the host. */
  readonly versions: VersionKeeper;
}
