import { EpckitError } from '@epckit/interface';
import type { ScenarioVm } from 'epckit';
import { type KeyPath, valueAt } from '../scenario/key-path.js';
import type { LoadedScenario } from '../scenario/load-scenario.js';
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
  const { lowPages, highPages } = scenario.reclaim;
  const available = sumOf(scenario.machine.sections.map(({ pageCount }) => pageCount));
  const native = enclaveNeeds(scenario, traces);
  const guests = guestNeeds(scenario);
  const everything = sumOf([...native, ...guests].map((need) => need.everything));
  const vaPages = sumOf(native.map(({ pinned }) => pinned));
  const guestPages = sumOf(guests.map(({ pinned }) => pinned));
  const isReclaimed = native.length > 0 || scenario.hostReclaim === true;
  const needed = isReclaimed
    ? Math.min(vaPages + guestPages + RUNNING_PAGES + highPages, everything + lowPages)
    : everything;
  if (available >= needed) return;
  const keys = ['epc', 'epcPerNode', 'sections'] as const;
  const key = keys.find((name) => valueAt(source.value, ['machine', name]) !== undefined) ?? 'epc';
  const kept =
    scenario.hostReclaim === true ? 'the version arrays of guests' : 'guests, which keep all of theirs';
  const details = [
    ...(native.length === 0 ? [] : [`${vaPages} for version arrays, which are never evicted`]),
    ...(guests.length === 0 ? [] : [`${guestPages} for ${kept}`]),
    ...(isReclaimed
      ? [
          `${RUNNING_PAGES} for a SECS, a TCS and a page of its program at the same time`,
          `${highPages} that the daemon keeps free (reclaim.high)`,
        ]
      : []),
  ];
  const place = source.locate(['machine', key]);
  throw tooSmall(`${place}: An EPC of ${pagesWord(available)}`, details, needed, 'reclaim.high');
}

/** Each enclave of a guest alone must fit into its EPC. */
function checkGuest(
  { source }: LoadedScenario,
  { sections, reclaim, enclaves }: ScenarioVm,
  path: KeyPath,
  traces: ReadonlyMap<string, TraceSize>,
): void {
  const available = sumOf(sections.map(({ pageCount }) => pageCount));
  for (const { name, trace, vcpus } of enclaves) {
    const { pinned, everything } = needOf((traces.get(trace)?.pageNumber.length ?? 0) + vcpus.length);
    const { lowPages, highPages } = reclaim;
    const needed = Math.min(pinned + RUNNING_PAGES + highPages, everything + lowPages);
    if (available >= needed) continue;
    const key = valueAt(source.value, [...path, 'qemu']) === undefined ? 'epc' : 'qemu';
    const details = [
      `${pinned} for version arrays, which are never evicted`,
      `${RUNNING_PAGES} for a SECS, a TCS and a page of its program at the same time`,
      `${highPages} that the guest's daemon keeps free (its reclaim.high)`,
    ];
    const what = `An EPC of ${pagesWord(available)} for a guest with enclave '${name}'`;
    throw tooSmall(`${source.locate([...path, key])}: ${what}`, details, needed, 'its reclaim.high');
  }
}

function pagesWord(count: number): string {
  return `${count} page${count === 1 ? '' : 's'}`;
}

function tooSmall(what: string, details: readonly string[], needed: number, mark: string): EpckitError {
  const message = `${what} is too small to ever run this scenario.`;
  return new EpckitError('EPCKIT_SCENARIO', message, details, {
    hint: `Give at least ${needed} pages, or lower ${mark}.`,
  });
}
