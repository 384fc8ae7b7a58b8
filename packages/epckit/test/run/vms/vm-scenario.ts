import { checkEnclaves } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { checkGuest } from '@epckit/guest';
import { checkEpcm } from '@epckit/hardware';
import { checkPools } from '@epckit/numa';
import { checkOversub, checkVepc } from '@epckit/vepc';
import type { Epc, Scenario, ScenarioGuestEnclave, ScenarioVm } from '../../../src/index.js';
import { smallScenario } from '../small-scenario.js';

/** An enclave of a guest that is not measured. */
export function guestEnclave(name: string, trace: string, more: Partial<ScenarioGuestEnclave> = {}) {
  return {
    ...{ name, trace, runs: null, repeat: 1, vcpus: [0], deal: 'slices' as const, measured: false },
    ...{ startCycles: 0, stopCycles: null },
    ...more,
  };
}

/** A virtual machine with one virtual CPU and small marks. */
export function smallVm(
  name: string,
  cpu: number,
  pageCount: number,
  more: Partial<ScenarioVm> = {},
): ScenarioVm {
  return {
    name,
    cpus: [cpu],
    sections: [{ pageCount, node: 0, isPreallocated: false }],
    reclaim: { batchPages: 16, lowPages: 8, highPages: 16 },
    cgroup: null,
    enclaves: [guestEnclave('app', 'uniform')],
    ...more,
  };
}

/** CPUs of one node, and an EPC of so many pages. */
export function machineOf(cpus: number, pageCount: number): Pick<Scenario, 'machine'> {
  const nodes = Array.from({ length: cpus }, () => ({ node: 0 }));
  return { machine: { cpus: nodes, sections: [{ node: 0, pageCount }] } };
}

/** 256 pages of EPC, preset `epckit`. */
export function vmScenario(vms: readonly ScenarioVm[], changes: Partial<Scenario> = {}): Scenario {
  return smallScenario([], { preset: 'epckit', vms, ...changes });
}

/** Broken invariants of host and guests, in words. */
export function violationsOf(epc: Epc): string[] {
  const { frames, hardware, vepc, vms } = epc;
  if (vepc === null) throw new Error('no virtual EPC');
  const rules = [
    ...checkVepc(vepc, frames, hardware),
    ...(vepc.oversub === null ? [] : checkOversub(vepc.oversub, frames, hardware)),
    ...checkEnclaves(epc.driver, frames, hardware),
    ...vms.all.flatMap((vm) => checkGuest(vm)),
  ];
  return [
    ...rules.map(({ rule, message }) => `${rule} ${message}`),
    ...checkFrames(frames).map(({ page, problem }) => `frame ${page}: ${problem}`),
    ...checkPools(epc.pools, frames),
    ...checkEpcm(hardware).map(({ page, message }) => `EPCM ${page}: ${message}`),
    ...epc.machine.threads.filter(({ held }) => held.length > 0).map(({ name }) => `${name} holds a lock`),
  ];
}
