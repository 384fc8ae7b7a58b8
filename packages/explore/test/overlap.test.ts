import type { HardwareModel } from '@epckit/hardware';
import { createSgxHardware } from '@epckit/hardware';
import type { CpuId, LeafId, LeafResult, PageIndex, Routine } from '@epckit/interface';
import { Attribute, Leaf, LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import type { Case, Finding } from '../src/index.js';
import { explore, formatFinding, formatSchedule, replay } from '../src/index.js';

const BASE = 16;
const SECS = 0;
const TCS = 1;
const REG = 2;
const VA = 3;

/** A leaf that a thread executes after announcing it. */
interface Executed {
  readonly leaf: LeafId;
  readonly page: PageIndex;
  readonly run: (hardware: HardwareModel, cpu: CpuId) => LeafResult;
  /** Does a thread that was refused go round for ever? Default: no. */
  readonly spins?: boolean;
}
const etrack: Executed = { leaf: Leaf.ETRACK, page: SECS, run: (hw, cpu) => hw.etrack(cpu, SECS) };
const eblock: Executed = { leaf: Leaf.EBLOCK, page: REG, run: (hw, cpu) => hw.eblock(cpu, REG) };
const eremove: Executed = { leaf: Leaf.EREMOVE, page: REG, run: (hw, cpu) => hw.eremove(cpu, REG) };
const eenter: Executed = { leaf: Leaf.EENTER, page: TCS, run: (hw, cpu) => hw.eenter(cpu, TCS, BASE) };

function enclaveOn(machine: Machine): HardwareModel {
  const { objects, checking: monitor } = machine;
  const hardware = createSgxHardware({ pageCount: 8, cpuCount: 2 }, { objects, monitor, probe: null });
  const reg = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
  const built = [
    hardware.ecreate(0, SECS, {
      basePage: BASE,
      pageCount: 16,
      attributes: Attribute.MODE64BIT,
      ssaFrameSize: 1,
    }),
    hardware.eadd(0, TCS, SECS, BASE, PageType.TCS << SecInfo.TYPE_SHIFT, 1),
    hardware.eadd(0, REG, SECS, BASE + 1, reg, 2),
    hardware.einit(0, SECS, {}),
    hardware.epa(0, VA),
  ];
  expect(built).toEqual([0, 0, 0, 0, 0]);
  machine.overlaps = hardware.overlaps;
  return hardware;
}

/** Two CPUs execute one leaf each; the final state is what both returned. */
function pair(first: Executed, second: Executed, check?: (results: readonly number[]) => void): Case {
  return {
    name: 'pair',
    setup() {
      const machine = createMachine({ cpus: [{ node: 0 }, { node: 0 }], checking: true });
      const hardware = enclaveOn(machine);
      const results: number[] = [];
      function* execute(thread: MachineThread, { leaf, page, run, spins = false }: Executed): Routine<void> {
        if (thread.clock > thread.limit) yield hardware.leafAt(page, thread.cpu, leaf);
        results[thread.cpu] = run(hardware, thread.cpu);
        while (spins && results[thread.cpu] !== 0) yield hardware.leafAt(page, thread.cpu, leaf);
      }
      for (const [cpu, executed] of [first, second].entries()) {
        const thread = machine.createThread({ name: `CPU ${cpu}`, cpu });
        machine.start(thread, execute(thread, executed));
      }
      return { machine, state: () => results.join(' '), check: () => check?.(results) };
    },
  };
}

function statesOf(first: Executed, second: Executed, overlaps: boolean): string[] {
  const { finalStates, status } = explore(pair(first, second), { strategy: 'dfs', overlaps });
  expect(status).toBe('exhausted');
  return [...finalStates].sort();
}

describe('leaves that may overlap', () => {
  it('meet the conflicts of the concurrency table, and only then', () => {
    expect(statesOf(etrack, eblock, false)).toEqual(['0 0']);
    expect(statesOf(etrack, eblock, true)).toEqual(['0 0', `0 ${SgxCode.ENTRYEPOCH_LOCKED}`]);
    expect(statesOf(eremove, eenter, false)).toEqual(['0 0', `${SgxCode.ENCLAVE_ACT} 0`]);
    expect(statesOf(eremove, eenter, true)).toEqual(['0 0', `0 ${LeafFault.GP}`, `${SgxCode.ENCLAVE_ACT} 0`]);
  });

  it('follow each other where the table knows no conflict', () => {
    expect(statesOf(eblock, eenter, true)).toEqual(statesOf(eblock, eenter, false));
  });

  it('show in a finding, which can be replayed', () => {
    const subject = pair(etrack, eblock, (results) => {
      if (results[1] !== 0) throw new Error('EBLOCK was refused');
    });
    const finding = explore(subject, { strategy: 'dfs', overlaps: true }).finding as Finding;
    const schedule = formatSchedule(finding.schedule);
    expect(schedule).toBe('1 2 2~1 1');
    expect(formatFinding(finding)).toContain('during the leaf of thread 1');
    expect(replay(subject, schedule).fault?.error.message).toBe('EBLOCK was refused');
    expect(replay(subject, '1 2*2 1').fault).toBeNull();
    expect(() => replay(subject, '1~2 2*2 1')).toThrow(/does not fit/);
  });

  it('show in a finding of an execution without end, too', () => {
    const spinning = pair(etrack, { ...eblock, spins: true });
    const finding = explore(spinning, { strategy: 'dfs', overlaps: true, maxSteps: 50 }).finding as Finding;
    expect([finding.kind, finding.trace.length]).toEqual(['too-long', 50]);
    expect(formatSchedule(finding.schedule)).toContain('2~1');
  });

  it('are refused together with a reduction', () => {
    for (const strategy of ['dpor', 'sleepSets'] as const) {
      expect(() => explore(pair(etrack, eblock), { strategy, overlaps: true })).toThrow(/cannot be combined/);
    }
  });
});
