import { CGROUP_MOUNT } from '@epckit/cgroup';
import type { Routine } from '@epckit/interface';
import { Access } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PresetName, Process } from '../../src/index.js';
import { createAccessRecord, type Epc } from '../../src/index.js';
import { allPresets, build, Tenants, violationsOf } from './tenant.js';

/** Builds an enclave, touches its pages and releases it; every call may fail. */
function* live(epc: Epc, process: Process, cpu: number, pages: number): Routine<void> {
  const user = epc.cpus[cpu] as Epc['cpus'][number];
  const { enclave, result } = yield* build(epc, process, pages, cpu);
  const record = createAccessRecord();
  for (let page = 0; result === 0 && page < pages; page++) {
    yield* epc.accesses.access(user, enclave, page, Access.WRITE, 3, record);
  }
  if (result === 0) yield* epc.processes.unmap(user.thread, process, enclave, 0, pages);
  yield* epc.processes.close(user.thread, process, enclave);
}

/** Lowers the limit of the parent meanwhile. */
function* lower(tenants: Tenants): Routine<void> {
  const { thread } = tenants.cpu(2);
  yield* tenants.cgroups.tree.files.write(thread, `${CGROUP_MOUNT}/a/misc.max`, `sgx_epc ${10 * 4096}`);
}

/** Runs one schedule. @returns all that was wrong after a step or in the end */
function play(preset: PresetName, choices: readonly number[]): unknown[] {
  const tenants = new Tenants(preset, { pages: 32, cpus: 3, checking: true });
  const { epc } = tenants;
  tenants.group('/a', 14);
  const routines = ['/a/b', '/a/c'].map((path, cpu) => {
    tenants.group(path, 10);
    return live(epc, epc.createProcess(path, path), cpu, 6);
  });
  for (const [cpu, routine] of [...routines, lower(tenants)].entries()) {
    epc.machine.start(tenants.cpu(cpu).thread, routine);
  }
  const found: unknown[] = [];
  let at = 0;
  const { error } = epc.machine.runExplored(
    { begin: () => true, choose: (enabled) => (choices[at++ % choices.length] as number) % enabled.length },
    {
      maxSteps: 20_000,
      onStep: () => {
        if (found.length === 0) found.push(...violationsOf(epc, false));
      },
    },
  );
  if (error !== undefined) found.push(error.message);
  return found;
}

describe.each(allPresets)('%s', (preset) => {
  it('is sound after every step of two tenants and a limit that falls', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { minLength: 50, maxLength: 300 }), (choices) => {
        expect(play(preset, choices)).toEqual([]);
      }),
      { numRuns: 4, endOnFailure: true },
    );
  });
});
