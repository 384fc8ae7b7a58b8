import type { Enclave } from '@epckit/enclave';
import type { ListId } from '@epckit/interface';
import { NONE, Pte } from '@epckit/interface';
import type { Vepc } from '@epckit/vepc';
import type { Epc } from '../create-epc.js';
import type { Process } from '../process.js';
import { type Names, numberRuns } from './names.js';
import type { KnownEnclave, Recorder } from './recorder.js';

/** What a dump looks at. */
export interface DumpSource {
  readonly epc: Epc;
  readonly names: Names;
  readonly recorder: Recorder;
  /** Open enclaves by name. */
  readonly enclaves: ReadonlyMap<string, Enclave>;
  /** Open instances of virtual EPC by name. */
  readonly vepcs: ReadonlyMap<string, Vepc>;
  /** Processes by name. */
  readonly processes: ReadonlyMap<string, Process>;
}

/** Lists and, with `all`, per-page state, as records hold them. */
export function dump(source: DumpSource, all: boolean): Record<string, unknown> {
  const { epc, enclaves } = source;
  const states = [...enclaves].map(([name, enclave]) => [name, enclaveState(source, enclave, all)]);
  return {
    active: activeList(source),
    free: nodeLists(source, (node) => epc.pools.lists.free(node)),
    poison: nodeLists(source, (node) => epc.pools.lists.poison(node)),
    dirty: source.names.runs(listPages(source, epc.pools.dirty)),
    ksgxd: epc.ksgxd.isEnabled ? 'runnable' : 'sleeping',
    encl: Object.fromEntries(states),
    hw: Object.fromEntries([...source.recorder.known].map((entry) => hardwareState(source, ...entry))),
    vepc: Object.fromEntries([...source.vepcs].map(([name, vepc]) => [name, vepcPages(source.names, vepc)])),
    ...(epc.vepc === null ? {} : { zombies: source.names.runs(epc.vepc.zombies.all()) }),
    ...(all ? { young: youngBits(source) } : {}),
  };
}

function* listPages({ epc }: DumpSource, list: ListId): Generator<number> {
  for (let page = epc.frames.first(list); page !== NONE; page = epc.frames.next(page)) yield page;
}

function activeList({ epc, names }: DumpSource): string[] {
  const active: string[] = [];
  for (let page = epc.lists.oldest(0); page !== NONE; page = epc.lists.after(page)) {
    active.push(`${names.ownerOf(page)}:${names.recordOf(page)}`);
  }
  return active;
}

function nodeLists(source: DumpSource, listOf: (node: number) => ListId): Record<string, string[]> {
  const { epc, names } = source;
  return Object.fromEntries(
    epc.pools.nodes.map((node) => [node, names.runs(listPages(source, listOf(node)))]),
  );
}

function enclaveState({ names }: DumpSource, enclave: Enclave, all: boolean): Record<string, unknown> {
  const slots = [...(enclave.paging?.slots.pages() ?? [])];
  return {
    page_cnt: enclave.slotUsers.value,
    in_epc: enclave.children,
    ref: enclave.refs.value,
    secs: enclave.secs === NONE ? null : names.page(enclave.secs),
    va: slots.map(({ page, used }) => [names.recordOf(page), names.page(page), used]),
    ...(enclave.paging === null ? {} : { backing: numberRuns(enclave.paging.backing.presentPages()) }),
    ...(all ? { pages: pageStates(names, enclave) } : {}),
  };
}

function pageStates(names: Names, enclave: Enclave): Record<string, string | null> {
  const pages: Record<string, string | null> = {};
  const { records } = enclave;
  for (let i = records.next(0); i !== NONE; i = records.next(i + 1)) {
    const slot = records.slot(i);
    if (records.epc(i) !== NONE) pages[i] = names.page(records.epc(i));
    else pages[i] = slot === NONE ? null : slotName(names, enclave, slot);
  }
  return pages;
}

function vepcPages(names: Names, { pages }: Vepc): Record<string, string> {
  const held: Record<string, string> = {};
  for (let i = pages.next(0); i !== NONE; i = pages.next(i + 1)) held[i] = names.page(pages.get(i));
  return held;
}

function slotName(names: Names, { paging }: Enclave, slot: number): string {
  const page = paging?.slots.pageOf(slot) ?? NONE;
  return `${names.recordOf(page)}:${slot % 512}`;
}

function hardwareState(
  source: DumpSource,
  name: string,
  { epoch, secs }: KnownEnclave,
): [string, Record<string, number>] {
  if (secs === NONE) return [name, { epoch, cur: 0, prev: 0, children: 0, secs_in_epc: 0 }];
  const { current, previous, children } = source.epc.hardware.tracking(secs);
  return [name, { epoch, cur: current, prev: previous, children, secs_in_epc: 1 }];
}

function youngBits({ enclaves, vepcs, processes }: DumpSource): Record<string, [number, number][]> {
  const young: Record<string, [number, number][]> = {};
  for (const [processName, { mm }] of processes) {
    for (const [name, { id }] of [...enclaves, ...vepcs]) {
      const bits: [number, number][] = [];
      mm.table(id)?.pte.forEach((byte, page) => {
        if (byte !== 0) bits.push([page, (byte & Pte.ACCESSED) === 0 ? 0 : 1]);
      });
      if (bits.length > 0) young[`${processName}/${name}`] = bits;
    }
  }
  return young;
}
