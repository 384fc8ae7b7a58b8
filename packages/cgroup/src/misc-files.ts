import type { Op, Routine, Thread } from '@epckit/interface';
import type { AtomicNumber } from './atomic-number.js';
import { CgroupErrno } from './errno.js';
import type { CgroupFile, FilePlace } from './file.js';
import { byteLength } from './file.js';
import type { Limit, MiscCounters, MiscGroup } from './group.js';
import { formatLimit, parseMax } from './parse-max.js';
import { formatU64 } from './parse-number.js';
import { resourceNames } from './resource.js';
import type { CgroupTree } from './tree.js';

/** How one file shows a resource. */
interface Column {
  readonly name: string;
  readonly isOnRoot: boolean;
  readonly isOnOthers: boolean;
  /** Appended to the resource's name. */
  readonly suffix?: string;
  /** Is a value other than 0 shown without capacity too? */
  readonly outlivesCapacity: boolean;
  readonly counter: (counters: MiscCounters, capacity: AtomicNumber) => AtomicNumber | Limit;
  readonly write?: CgroupFile['write'];
}

/** The six files, in the order in which Linux lists them (`misc_cg_files`). */
const columns: readonly Column[] = [
  {
    name: 'misc.max',
    isOnRoot: false,
    isOnOthers: true,
    outlivesCapacity: false,
    counter: ({ max }) => max,
    write: writeMax,
  },
  {
    name: 'misc.current',
    isOnRoot: true,
    isOnOthers: true,
    outlivesCapacity: true,
    counter: ({ usage }) => usage,
  },
  {
    name: 'misc.peak',
    isOnRoot: true,
    isOnOthers: true,
    outlivesCapacity: true,
    counter: ({ watermark }) => watermark,
  },
  {
    name: 'misc.capacity',
    isOnRoot: true,
    isOnOthers: false,
    outlivesCapacity: false,
    counter: (_, capacity) => capacity,
  },
  {
    name: 'misc.events',
    isOnRoot: false,
    isOnOthers: true,
    suffix: '.max',
    outlivesCapacity: true,
    counter: ({ events }) => events,
  },
  {
    name: 'misc.events.local',
    isOnRoot: false,
    isOnOthers: true,
    suffix: '.max',
    outlivesCapacity: true,
    counter: ({ eventsLocal }) => eventsLocal,
  },
];

/** Files of the misc controller. */
export const miscFiles: readonly CgroupFile[] = columns.map((column) => ({
  name: column.name,
  isOnRoot: column.isOnRoot,
  isOnOthers: column.isOnOthers,
  show: (tree, place, thread) => show(column, tree, place, thread),
  ...(column.write === undefined ? {} : { write: column.write }),
}));

/** One line per resource that is there or, in some files, was. */
function* show(
  { counter, suffix = '', outlivesCapacity }: Column,
  { controller }: CgroupTree,
  place: FilePlace,
  thread: Thread | null,
): Routine<string> {
  let text = '';
  for (const resource of controller.resources) {
    const capacity = controller.capacity(resource);
    const shown = counter((place.group as MiscGroup).counters(resource), capacity);
    const value = yield* readValue(shown, thread);
    const isThere = shown === capacity ? value !== 0 : (yield* readValue(capacity, thread)) !== 0;
    if (!isThere && !(outlivesCapacity && value !== 0)) continue;
    const number = typeof value === 'bigint' ? formatLimit(value) : formatU64(value);
    text += `${resourceNames[resource]}${suffix} ${number}\n`;
  }
  return text;
}

/** Reads a counter or a limit: announced by a thread, plain for a report. */
function* readValue(
  shown: AtomicNumber | Limit,
  thread: Thread | null,
): Generator<Op, number | bigint, void> {
  if (thread !== null && thread.clock > thread.limit) yield shown.reading;
  if ('exact' in shown) return thread === null ? shown.exact : shown.readExact(thread);
  return thread === null ? shown.value : shown.read(thread);
}

/** Linux `misc_cg_max_write`: the text first, then the capacity, then a plain store. */
function* writeMax(
  { controller }: CgroupTree,
  place: FilePlace,
  thread: Thread,
  text: string,
): Routine<number> {
  const setting = parseMax(text, controller.resources);
  if (typeof setting === 'number') return setting;
  const capacity = controller.capacity(setting.resource);
  if (thread.clock > thread.limit) yield capacity.reading;
  if (capacity.read(thread) === 0) return -CgroupErrno.EINVAL;
  const { max } = (place.group as MiscGroup).counters(setting.resource);
  if (thread.clock > thread.limit) yield max.writing;
  max.write(thread, setting.limit);
  yield* controller.maxWritten(thread, setting.resource, place.group as MiscGroup);
  return byteLength(text);
}
