import type { HardwareModel } from '@epckit/hardware';
import { checkEpcm } from '@epckit/hardware';
import type { LeafName } from '@epckit/interface';
import {
  ConflictExit,
  Leaf,
  LeafFault,
  leafNames,
  PageType,
  SecInfo,
  SgxCode,
  sgxCodeNames,
} from '@epckit/interface';
import { expect, it } from 'vitest';
import { RandomWorld } from './random-world.js';

/** Calls in all; the full size is 1000000, see the README. */
const CALLS = Number(process.env['EPCKIT_RANDOM_LEAVES'] ?? 40_000);
/** Seed of the first world; each next one has the next seed. */
const FIRST_SEED = Number(process.env['EPCKIT_RANDOM_SEED'] ?? 1);
const CALLS_PER_WORLD = 4000;
const REMEMBERED = 30;

const { GP, PF } = LeafFault;
const { TRACKING_RESOURCE, TRACKING_REFERENCE, EPC_PAGE_EXCEPTION, EPC_PAGE_ERROR } = ConflictExit;
const LOAD = [0, SgxCode.MAC_COMPARE_FAIL, PF, GP];

/** Results of each leaf that must turn up; EINIT's signatures are not random. */
const DUE: Record<LeafName, readonly number[]> = {
  ECREATE: [0, PF, GP, EPC_PAGE_EXCEPTION],
  EADD: [0, PF, GP, EPC_PAGE_EXCEPTION],
  EINIT: [0, PF, GP, SgxCode.INVALID_MEASUREMENT, SgxCode.UNMASKED_EVENT],
  EREMOVE: [0, PF, GP, SgxCode.CHILD_PRESENT, SgxCode.ENCLAVE_ACT, EPC_PAGE_EXCEPTION],
  EDBGRD: [0, PF, GP, SgxCode.PAGE_NOT_DEBUGGABLE],
  EDBGWR: [0, PF, GP, SgxCode.PAGE_NOT_DEBUGGABLE],
  EEXTEND: [0, PF, GP],
  ELDB: [...LOAD, EPC_PAGE_EXCEPTION],
  ELDU: [...LOAD, EPC_PAGE_EXCEPTION],
  EBLOCK: [
    ...[0, PF, GP, SgxCode.BLSTATE, SgxCode.NOTBLOCKABLE, SgxCode.PG_INVLD, SgxCode.EPC_PAGE_CONFLICT],
    ...[SgxCode.PG_IS_SECS, SgxCode.ENTRYEPOCH_LOCKED],
  ],
  EPA: [0, PF, GP, EPC_PAGE_EXCEPTION],
  EWB: [
    ...[0, PF, GP, SgxCode.PAGE_NOT_BLOCKED, SgxCode.NOT_TRACKED, SgxCode.VA_SLOT_OCCUPIED],
    ...[SgxCode.CHILD_PRESENT, EPC_PAGE_EXCEPTION],
  ],
  ETRACK: [0, PF, GP, SgxCode.PREV_TRK_INCMPL, TRACKING_RESOURCE, TRACKING_REFERENCE],
  EAUG: [0, PF, GP, EPC_PAGE_EXCEPTION],
  EMODPR: [0, PF, GP, SgxCode.PAGE_NOT_MODIFIABLE],
  EMODT: [0, PF, GP, SgxCode.PAGE_NOT_MODIFIABLE, SgxCode.EPC_PAGE_CONFLICT, EPC_PAGE_ERROR],
  ERDINFO: [0, SgxCode.PG_INVLD, SgxCode.PG_NONEPC, SgxCode.EPC_PAGE_CONFLICT],
  ETRACKC: [
    ...[0, PF, GP, SgxCode.PG_INVLD, SgxCode.EPC_PAGE_CONFLICT, SgxCode.PREV_TRK_INCMPL],
    ...[SgxCode.TRACK_NOT_REQUIRED, TRACKING_REFERENCE],
  ],
  ELDBC: [...LOAD, SgxCode.EPC_PAGE_CONFLICT, EPC_PAGE_ERROR],
  ELDUC: [...LOAD, SgxCode.EPC_PAGE_CONFLICT, EPC_PAGE_ERROR],
  EUPDATESVN: [0, ...[7, 29, 30, 31]],
  EDECVIRTCHILD: [0, PF, GP, SgxCode.INVALID_COUNTER, SgxCode.EPC_PAGE_CONFLICT],
  EINCVIRTCHILD: [0, PF, GP, SgxCode.EPC_PAGE_CONFLICT],
  ESETCONTEXT: [0, PF, GP, SgxCode.EPC_PAGE_CONFLICT],
  EENTER: [0, PF, GP],
  ERESUME: [0, PF, GP],
  EEXIT: [0, GP],
  EACCEPT: [0, PF, GP, SgxCode.PAGE_ATTRIBUTES_MISMATCH, SgxCode.NOT_TRACKED],
  EMODPE: [0, PF, GP],
  EACCEPTCOPY: [0, PF, GP, SgxCode.PAGE_ATTRIBUTES_MISMATCH],
  EDECCSSA: [0, GP],
  AEX: [0],
};

/** What is wrong, or null. */
function complaint(hardware: HardwareModel): string | null {
  const violation = checkEpcm(hardware)[0];
  if (violation !== undefined) return `${violation.rule} at page ${violation.page}: ${violation.message}`;
  let counted = 0;
  let inside = 0;
  for (let page = 0; page < hardware.pageCount; page++) {
    if (!hardware.isValid(page) || hardware.entry(page).type !== PageType.SECS) continue;
    const { current, previous } = hardware.tracking(page);
    counted += current + previous;
  }
  for (let cpu = 0; cpu < hardware.cpuCount; cpu++) {
    if (hardware.insideOf(cpu) < 0) continue;
    inside++;
    const { valid, type, flags, secs } = hardware.entry(hardware.tcsOf(cpu));
    const isThread = type === PageType.TCS || (type === PageType.TRIM && (flags & SecInfo.MODIFIED) !== 0);
    if (!valid || !isThread || secs !== hardware.insideOf(cpu)) return `cpu ${cpu} is inside through nothing`;
  }
  return counted === inside ? null : `${counted} processors counted, ${inside} inside`;
}

function run(seed: number, calls: number, seen: Map<number, Set<number>>): void {
  const world = new RandomWorld(seed);
  const last: string[] = [];
  for (let call = 1; call <= calls; call++) {
    let problem: string | null = null;
    try {
      const { what, leaf, result } = world.step();
      last.push(what);
      if (leaf >= 0) seen.get(leaf)?.add(result);
      problem = complaint(world.hardware);
    } catch (error) {
      problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    if (last.length > REMEMBERED) last.shift();
    if (problem === null) continue;
    throw new Error(
      `Call ${call} of the world with seed ${seed}: ${problem}\n` +
        `Repeat with EPCKIT_RANDOM_SEED=${seed} EPCKIT_RANDOM_LEAVES=${call}.\nLast calls:\n${last.join('\n')}`,
    );
  }
}

it(`keep every invariant over ${CALLS} calls, and every leaf shows what it can do`, {
  timeout: 3_600_000,
}, () => {
  const seen = new Map<number, Set<number>>(Object.values(Leaf).map((leaf) => [leaf, new Set<number>()]));
  let seed = FIRST_SEED;
  for (let left = CALLS; left > 0; left -= CALLS_PER_WORLD)
    run(seed++, Math.min(left, CALLS_PER_WORLD), seen);
  // A repetition of one failed world is too short to see everything.
  if (CALLS < 40_000) return;
  const missing = Object.entries(DUE).flatMap(([name, results]) =>
    results
      .filter((result) => !seen.get(Leaf[name as LeafName])?.has(result))
      .map((result) => `${name} ${sgxCodeNames[result] ?? result.toString(16)}`),
  );
  expect(missing).toEqual([]);
  const codes = [...seen].flatMap(([leaf, results]) => [...results].map((result) => [leaf, result] as const));
  const unknown = codes.filter(([, result]) => result < 1000 && sgxCodeNames[result] === undefined);
  expect(unknown.map(([leaf, result]) => `${leafNames[leaf]} ${result}`)).toEqual([]);
});
