import { EpckitError } from '@epckit/interface';
import { guestTraceNames, guestVcpus, pagesOf, type Scenario, type ScenarioVm } from 'epckit';
import { type KeyPath, valueAt } from '../scenario/key-path.js';
import type { LoadedScenario } from '../scenario/load-scenario.js';
import { canReclaimGuests } from '../scenario/vms.js';
import { enclaveNeeds, guestNeeds, needOf, RUNNING_PAGES, sumOf } from './epc-need.js';
import type { TraceSize } from './load-traces.js';

/**
 * Refuses an EPC in which the enclaves can never run, that of the machine or that of a guest.
 *
 * Version array pages stay in the EPC for the life of an enclave, one per 512 of its pages. Beside all of them,
 * what one program needs at once must fit, and the free pages that the daemon works for: otherwise it never
 * rests, and takes every page before it is used. None of this matters if everything fits and the daemon is
 * never woken. The kernel of a guest touches all of its EPC when it starts; unless the host reclaims, it stays.
 *
 * @throws EpckitError `EPCKIT_SCENARIO`
 */
export function checkEpcFits(loaded: LoadedScenario, traces: ReadonlyMap<string, TraceSize>): void {
  checkMachine(loaded, traces);
  const { vms = [] } = loaded.scenario;
  for (const [index, vm] of vms.entries()) {
    checkGuest(loaded, vm, ['vms', loaded.vmEntries[index] as number], traces);
  }
}

function checkMachine(loaded: LoadedScenario, traces: ReadonlyMap<string, TraceSize>): void {
  const { scenario, source } = loaded;
  const available = sumOf(scenario.machine.sections.map(({ pageCount }) => pageCount));
  const native = enclaveNeeds(scenario, traces);
  const guests = guestNeeds(scenario);
  const vaPages = sumOf(native.map(({ pinned }) => pinned));
  const guestPages = sumOf(guests.map(({ pinned }) => pinned));
  const kept =
    scenario.hostReclaim === true ? 'the version arrays of guests' : 'guests, which keep all of theirs';
  const pinned: Part[] = [
    ...(native.length === 0 ? [] : [[vaPages, VERSION_ARRAYS] as const]),
    ...(guests.length === 0 ? [] : [[guestPages, `for ${kept}`] as const]),
  ];
  const isReclaimed = native.length > 0 || scenario.hostReclaim === true;
  const everything = sumOf([...native, ...guests].map((need) => need.everything));
  const need = isReclaimed
    ? leastOf(pinned, everything, scenario.reclaim, 'reclaim')
    : { parts: pinned, remedy: canReclaimGuests(scenario.preset) ? { text: 'hostReclaim: on' } : null };
  const keys = ['epc', 'epcPerNode', 'sections'] as const;
  const key = keys.find((name) => valueAt(source.value, ['machine', name]) !== undefined) ?? 'epc';
  requireRoom(available, need, `${source.locate(['machine', key])}: An EPC of ${pagesWord(available)}`);
}

/** Each enclave of a guest alone must fit into its EPC. */
function checkGuest(
  { source }: LoadedScenario,
  { sections, reclaim, enclaves }: ScenarioVm,
  path: KeyPath,
  traces: ReadonlyMap<string, TraceSize>,
): void {
  const available = sumOf(sections.map(({ pageCount }) => pageCount));
  for (const enclave of enclaves) {
    const { name } = enclave;
    const ofThreads = guestTraceNames(enclave).flatMap((trace) => traces.get(trace) ?? []);
    const { pinned, everything } = needOf(pagesOf(ofThreads).length + guestVcpus(enclave).length);
    const need = leastOf([[pinned, VERSION_ARRAYS]], everything, reclaim, 'its reclaim');
    const key = valueAt(source.value, [...path, 'qemu']) === undefined ? 'epc' : 'qemu';
    const what = `An EPC of ${pagesWord(available)} for a guest with enclave '${name}'`;
    requireRoom(available, need, `${source.locate([...path, key])}: ${what}`);
  }
}

const VERSION_ARRAYS = 'for version arrays, which are never evicted';

/** Pages, and what they are for. */
type Part = readonly [count: number, purpose: string];

/** The EPC without which nothing runs. */
interface Need {
  /** What it is the sum of. */
  readonly parts: readonly Part[];
  /** What would do instead of more EPC; null: nothing. */
  readonly remedy: Remedy | null;
}

/** What would do instead of more EPC. */
interface Remedy {
  /** As in a hint. */
  readonly text: string;
  /** Fewer pages than this are needed less. Default: any number. */
  readonly saves?: number;
}

/**
 * EPC in which a daemon can do its work or need not begin, whichever is less.
 *
 * @param pinned - what stays in the EPC
 * @param everything - pages of all there is
 * @param key - where the marks are given
 */
function leastOf(
  pinned: readonly Part[],
  everything: number,
  { lowPages, highPages }: Pick<Scenario['reclaim'], 'lowPages' | 'highPages'>,
  key: string,
): Need {
  const whose = key === 'reclaim' ? 'the daemon' : "the guest's daemon";
  const working: Part[] = [
    ...pinned,
    [RUNNING_PAGES, 'for a SECS, a TCS and a page of its program at the same time'],
    [highPages, `that ${whose} keeps free (${key}.high)`],
  ];
  const resting: Part[] = [
    [everything, 'for all pages that there will be'],
    [lowPages, `free besides, as fewer would wake ${whose} (${key}.low)`],
  ];
  return totalOf(resting) < totalOf(working)
    ? { parts: resting, remedy: { text: `lower ${key}.low`, saves: lowPages } }
    : { parts: working, remedy: { text: `lower ${key}.high`, saves: highPages } };
}

function totalOf(parts: readonly Part[]): number {
  return sumOf(parts.map(([count]) => count));
}

function pagesWord(count: number): string {
  return `${count} page${count === 1 ? '' : 's'}`;
}

/** @throws EpckitError if there is less than needed */
function requireRoom(available: number, need: Need, what: string): void {
  const needed = totalOf(need.parts);
  if (available >= needed) return;
  const message = `${what} is too small to ever run this scenario.`;
  const details = need.parts.map(([count, purpose]) => `${count} ${purpose}`);
  const { text, saves = Number.POSITIVE_INFINITY } = need.remedy ?? { text: '', saves: 0 };
  const instead = needed - available < saves ? `, or ${text}` : '';
  throw new EpckitError('EPCKIT_SCENARIO', message, details, {
    hint: `Give at least ${pagesWord(needed)}${instead}.`,
  });
}
