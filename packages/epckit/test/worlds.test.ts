import { readFileSync } from 'node:fs';
import type { Routine } from '@epckit/interface';
import { Access, Cost, PageType } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import type { Epc, Script, UserCpu } from '../src/index.js';
import { compareRecords, createAccessRecord, createEpc, linux6, replayScript } from '../src/index.js';
import { leafListener } from './mapped-enclave.js';

/** Random accesses of the comparison: `EPCKIT_ACCESSES=1000000` for the full size. */
const ACCESSES = Number(process.env['EPCKIT_ACCESSES'] ?? 100_000);

/** Longer than any step takes. */
const LONG = 100_000_000;

/**
 * Runs a routine in the timed world by the rule of the direct one: kernel threads run when the thread returns to user
 * mode, so not before the routine has ended. Until then something else has the CPU of the daemon.
 */
function executeTimed(epc: Epc, thread: MachineThread, routine: Routine<unknown>): unknown {
  const { machine } = epc;
  let result: unknown;
  machine.start(
    thread,
    (function* () {
      result = yield* routine;
    })(),
  );
  const busy = busyThread(epc);
  const now = Math.max(...machine.threads.map(({ clock }) => clock));
  machine.start(
    busy,
    (function* (): Routine<void> {
      busy.waitUntil(now + LONG, Cost.COMPUTE);
    })(),
  );
  // Kernel threads that run only when they are told to have nothing to do meanwhile.
  const { routine: daemon } = epc.ksgxd;
  if (machine.kernelThreadPolicy === 'whenTold') epc.ksgxd.routine = null;
  machine.runTimed();
  if (machine.kernelThreadPolicy === 'whenTold') epc.ksgxd.routine = daemon;
  return result;
}

const busyThreads = new WeakMap<Epc, MachineThread>();

/** A user thread on the CPU of the daemon. */
function busyThread(epc: Epc): MachineThread {
  const known = busyThreads.get(epc);
  if (known !== undefined) return known;
  const thread = epc.machine.createThread({ name: 'busy', cpu: epc.ksgxd.cpu });
  busyThreads.set(epc, thread);
  return thread;
}

/** Leaves of random accesses to an enclave that is twice as large as the EPC; as a hash, one number per 1000. */
function randomAccesses(count: number, execute: typeof executeTimed): readonly string[] {
  const leaves: number[] = [];
  const epc = createEpc({
    ...linux6,
    machine: { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: 256 }] },
    probe: {
      ...leafListener(leaves),
      leaf: (_cpu, leaf, page, result) => void leaves.push(leaf, page, result),
    },
  });
  epc.boot();
  const [cpu] = epc.cpus as readonly [UserCpu];
  const { driver, machine } = epc;
  const run = (routine: Routine<unknown>): unknown => {
    const result = execute(epc, cpu.thread, routine);
    machine.returnToUser();
    return result;
  };
  const process = epc.createProcess('P');
  const enclave = driver.open();
  const { thread } = cpu;
  const pages = 500;
  run(cpu.load(process));
  run(driver.create.run(thread, enclave, { pageCount: 512, basePage: 512, attributes: 4 }));
  const data = { page: 0, count: pages, type: PageType.REG, prot: 3, isMeasured: false };
  const tcs = { page: pages, count: 1, type: PageType.TCS, prot: 0, isMeasured: false };
  run(driver.addPages.run(thread, process.mm, enclave, data));
  run(driver.addPages.run(thread, process.mm, enclave, tcs));
  run(driver.init.run(thread, enclave, {}));
  run(driver.mapper.map(thread, process.mm, enclave, { start: 0, end: pages + 1, prot: 3 }));
  const record = createAccessRecord();
  const hashes: string[] = [];
  let random = 1;
  let hash = 0;
  for (let i = 0; i < count; i++) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    const page = (random >>> 8) % pages;
    const kind = (random & 0x80) === 0 ? Access.READ : Access.WRITE;
    if (i % 100 === 0) {
      run(epc.accesses.access(cpu, enclave, pages, Access.READ, 100, record));
      run(cpu.isInside ? cpu.exit() : cpu.entry === null ? cpu.enter(enclave, pages) : cpu.resume());
    }
    run(epc.accesses.access(cpu, enclave, page, kind, 100, record));
    for (const value of leaves) hash = (Math.imul(hash, 31) + value) | 0;
    leaves.length = 0;
    if (i % 1000 === 999) hashes.push(`${i}: ${hash}, free ${epc.pools.free}`);
  }
  return hashes;
}

describe('direct and timed world execute the same leaves', () => {
  it.each(['03-seq-oversub-auto', '24-secs-evict', '31-ladder-1-thread'])('of the script %s', (name) => {
    const file = new URL(`golden/${name}.json`, import.meta.url);
    const script = JSON.parse(readFileSync(file, 'utf8')) as Script;
    const expected = script.expect ?? [];
    for (const { index, record } of replayScript(script, { execute: executeTimed })) {
      expect(compareRecords(expected[index] ?? {}, record), `step ${index}`).toBeNull();
    }
  });

  it(`of ${ACCESSES} random accesses`, { timeout: 600_000 }, () => {
    const direct = randomAccesses(ACCESSES, (epc, thread, routine) => epc.machine.run(thread, routine));
    expect(direct.length).toBe(Math.floor(ACCESSES / 1000));
    expect(randomAccesses(ACCESSES, executeTimed)).toEqual(direct);
  });
});
