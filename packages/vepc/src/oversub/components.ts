import type {
  BackingStore,
  CpuSet,
  IpiSender,
  OwnerId,
  PageLoader,
  PageWriter,
  Reclaimer,
  ReclaimLists,
  SgxHardware,
  Tracker,
  VersionSlots,
} from '@epckit/interface';

/** Where the pages of one instance go, and how. */
export interface OversubPaging {
  /** Version slots of the instance. */
  readonly slots: VersionSlots;
  /** Where its evicted pages live. */
  readonly backing: BackingStore;
  /** How a page leaves the EPC. */
  readonly writeBack: PageWriter;
  /** How a page comes back. A failed load must keep its backing, because it may be repeated. */
  readonly loadBack: PageLoader;
}

/** What the paging of one instance is made of. */
export interface OversubPagingParts {
  /** Owner id, for trace points. */
  readonly owner: OwnerId;
  /** Pages of the file. */
  readonly pageCount: number;
  /** Executes EWB; executes ELDBC or ELDUC where the ladder asks for ELDU. */
  readonly hardware: Pick<SgxHardware, 'leafAt' | 'ewb' | 'eldu'>;
  /** Begins tracking cycles by ETRACKC. */
  readonly tracker: Tracker;
  /** Is the page in a reclaimer's hands? Asked about siblings of a loaded page. */
  readonly isBeingWritten: (index: number) => boolean;
  /** Version slots that the driver has made for the instance; `null`: whoever makes the paging makes them. */
  readonly slots: VersionSlots | null;
}

/** How version array pages of the host can leave the EPC, see {@link OversubComponents.versionArrays}. */
export interface EvictableVersionArrays {
  /** Slots of a version array page that are used, 1 to 512. Default: 512; fewer make small trees deep. */
  readonly slotsPerPage?: number;
  /** Makes the place for evicted version array pages of an instance that can have `pageCount` of them. */
  createBacking(owner: OwnerId, pageCount: number): BackingStore;
}

/** What host reclaim of guest pages needs besides the driver's own components. */
export interface OversubComponents {
  /** Reclaimable pages. */
  readonly lists: ReclaimLists;
  /** Runs the pass that a fault makes before it starts again. */
  readonly reclaimer: Pick<Reclaimer, 'batch' | 'nothingReclaimable'>;
  /** Throws virtual CPUs out of the guest. */
  readonly ipi: IpiSender;
  /** Makes an empty set of CPUs. */
  createCpuSet(): CpuSet;
  /** Makes the paging of one instance. */
  createPaging(parts: OversubPagingParts): OversubPaging;
  /**
   * Version array pages are made when they are needed, and full ones are evicted when EPC is wanting (2018 branch);
   * `null` or left out: one per 512 pages of an instance from the start, and all of them stay.
   */
  readonly versionArrays?: EvictableVersionArrays | null;
}
