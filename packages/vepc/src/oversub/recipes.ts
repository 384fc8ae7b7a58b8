import type { VepcComponents } from '../components.js';
import type { VepcPages } from '../pages.js';
import type { VepcReleaser } from '../release.js';
import type { RemoveAll } from '../remove-all.js';
import type { GuestBlocker } from './blocker.js';
import type { ConflictExits } from './conflict-exits.js';
import type { Dropper } from './dropper.js';
import type { GuestFaults } from './guest-faults.js';
import type { GuestOwner } from './guest-owner.js';
import type { GuestLoader } from './loader.js';
import type { OversubParts } from './parts.js';
import type { OversubReleaser } from './releaser.js';
import type { OversubRemoveAll } from './remove-all.js';
import type { SecsPins } from './secs-pins.js';
import type { VersionKeeper } from './version-keeper.js';
import type { GuestWriter } from './writer.js';

/** Steps of host reclaim to replace; what is left out is the default. */
export interface OversubRecipes {
  /** Makes what unmaps, classifies and blocks. */
  readonly blocker?: (parts: OversubParts) => GuestBlocker;
  /** Makes what writes pages out. */
  readonly writer?: (parts: OversubParts) => GuestWriter;
  /** Makes what brings pages back. */
  readonly loader?: (parts: OversubParts) => GuestLoader;
  /** Makes what handles guests' accesses. */
  readonly faults?: (parts: OversubParts) => GuestFaults;
  /** Makes what keeps SECS pages. */
  readonly pins?: (parts: OversubParts) => SecsPins;
  /** Makes what handles conflict exits. */
  readonly conflicts?: (parts: OversubParts) => ConflictExits;
  /** Makes the owner of guest pages. */
  readonly owner?: (parts: OversubParts, releaser: OversubReleaser) => GuestOwner;
  /** Makes what forgets evicted pages. */
  readonly dropper?: (parts: OversubParts) => Dropper;
  /** Makes what gets version array pages. */
  readonly versions?: (parts: OversubParts) => VersionKeeper;
  /** Makes what gives an instance back. */
  readonly releaser?: (
    parts: OversubParts,
    base: VepcReleaser,
    versions: VersionKeeper,
    dropper: Dropper,
  ) => OversubReleaser;
  /** Makes what serves ioctls; `base` serves instances without reclaim. */
  readonly removeAll?: (
    components: VepcComponents,
    pages: VepcPages,
    base: RemoveAll,
    parts: OversubParts,
    dropper: Dropper,
  ) => OversubRemoveAll;
}
