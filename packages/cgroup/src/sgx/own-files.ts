import type { Routine, SharedNumber, Thread } from '@epckit/interface';
import { PAGE_SIZE_BYTES } from '@epckit/interface';
import type { AtomicNumber } from '../atomic-number.js';
import type { CgroupFile, FilePlace } from '../file.js';
import { byteLength } from '../file.js';
import type { Limit, MiscGroup } from '../group.js';
import { formatLimit, parseLimit, UNLIMITED } from '../parse-max.js';
import { formatU64, strip } from '../parse-number.js';
import { Resource } from '../resource.js';
import type { ControlTable, EpcControls } from './controls.js';
import { controlEvents } from './controls.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';

/** What the files of the controller of 2018 to 2020 show and change. */
export interface OwnFilesParts {
  /** Parts of all groups. */
  readonly groups: EpcGroups;
  /** Bounds and counters. */
  readonly controls: ControlTable;
  /** What is done when `sgx_epc.high` of a group was stored. */
  readonly highWritten: (thread: Thread, group: MiscGroup) => Routine<void>;
}

/** Part of a place's group. */
type PartOf = (place: FilePlace) => EpcGroup;

/** Files of the controller of 2018 to 2020; `stats` and `events` were gone by 2020. */
export function ownFiles({ groups, controls, highWritten }: OwnFilesParts): readonly CgroupFile[] {
  const { controller } = groups;
  const partOf: PartOf = ({ group }) => groups.of((group as MiscGroup).id);
  const controlsOf = (place: FilePlace): EpcControls => controls.of(partOf(place));
  return [
    {
      name: 'sgx_epc.current',
      isOnRoot: true,
      isOnOthers: true,
      *show(_tree, place, thread) {
        return `${formatU64(yield* readCounter(partOf(place).counters.usage, thread))}\n`;
      },
    },
    boundFile('sgx_epc.low', (place) => controlsOf(place).low),
    boundFile('sgx_epc.high', (place) => controlsOf(place).high, highWritten),
    boundFile(
      'sgx_epc.max',
      (place) => partOf(place).counters.max,
      (thread, group) => controller.maxWritten(thread, Resource.SGX_EPC, group),
    ),
    statsFile(partOf, controlsOf),
    eventsFile(partOf, controlsOf, controls),
  ];
}

/** A bound in bytes: a number or `max`; kept in whole pages, as the page counters of that controller. */
function boundFile(
  name: string,
  boundOf: (place: FilePlace) => Limit,
  written?: OwnFilesParts['highWritten'],
): CgroupFile {
  return {
    name,
    isOnRoot: false,
    isOnOthers: true,
    *show(_tree, place, thread) {
      const bound = boundOf(place);
      if (thread !== null && thread.clock > thread.limit) yield bound.reading;
      return `${formatLimit(thread === null ? bound.exact : bound.readExact(thread))}\n`;
    },
    *write(_tree, place, thread, text) {
      const limit = parseLimit(strip(text));
      if (typeof limit === 'number') return limit;
      const bound = boundOf(place);
      if (thread.clock > thread.limit) yield bound.writing;
      bound.write(thread, limit === UNLIMITED ? limit : limit - (limit % BigInt(PAGE_SIZE_BYTES)));
      if (written !== undefined) yield* written(thread, place.group as MiscGroup);
      return byteLength(text);
    },
  };
}

/** Numbers of pages, and of times that reclaimers came; a write resets what reclaimers did. */
function statsFile(partOf: PartOf, controlsOf: (place: FilePlace) => EpcControls): CgroupFile {
  return {
    name: 'sgx_epc.stats',
    isOnRoot: false,
    isOnOthers: true,
    *show(_tree, place, thread) {
      const { uses, counters } = partOf(place);
      const { reclaimed, reclamations } = controlsOf(place);
      const pages = (yield* readCounter(counters.usage, thread)) / PAGE_SIZE_BYTES;
      const direct = uses.reduce((sum, use) => sum + use, 0);
      return lines({
        pages,
        direct,
        indirect: pages - direct,
        reclaimed: yield* readCounter(reclaimed, thread),
        reclamations: yield* readCounter(reclamations, thread),
      });
    },
    *write(_tree, place, thread, text) {
      const { reclaimed, reclamations } = controlsOf(place);
      yield* reset(thread, [reclaimed, reclamations]);
      return byteLength(text);
    },
  };
}

/** Events; a write resets them. */
function eventsFile(
  partOf: PartOf,
  controlsOf: (place: FilePlace) => EpcControls,
  controls: ControlTable,
): CgroupFile {
  return {
    name: 'sgx_epc.events',
    isOnRoot: false,
    isOnOthers: true,
    *show(_tree, place, thread) {
      const { events } = controlsOf(place);
      const shown: Record<string, number> = {};
      for (const name of controlEvents) shown[name] = yield* readCounter(events[name], thread);
      return lines(shown);
    },
    *write(_tree, place, thread, text) {
      yield* reset(thread, Object.values(controlsOf(place).events));
      controls.notify(partOf(place).id);
      return byteLength(text);
    },
  };
}

/** Reads a counter: announced by a thread, plain for a report. */
function* readCounter(counter: SharedNumber | AtomicNumber, thread: Thread | null): Routine<number> {
  if (thread === null) return counter.value;
  if (thread.clock > thread.limit) yield counter.reading;
  return counter.read(thread);
}

function* reset(thread: Thread, counters: readonly SharedNumber[]): Routine<void> {
  for (const counter of counters) {
    if (thread.clock > thread.limit) yield counter.writing;
    counter.write(thread, 0);
  }
}

function lines(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}
