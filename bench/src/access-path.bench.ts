/**
 * The access path against a bare loop, and faults that evict and reload.
 *
 * (a) a loop over the page runs of the SQLite trace that only sets a bit in a typed array
 * (b) the access path of the direct world over the same runs, with an EPC that holds everything
 * (c) faults per second of a cyclic scan over twice the EPC: each access evicts and reloads
 *
 * All in one run, interleaved, medians. Decoding is not part of it.
 */
import { generateCyclicScan, loadTrace } from '@epckit/trace';
import type { Epc, TraceColumns } from 'epckit';
import { createEpc, Program, presets } from 'epckit';

const ROUNDS = 9;
const FAULT_ROUNDS = 5;
const trace = await loadTrace(new URL('../../traces/sqlite3.runs.gz', import.meta.url));

function settings(name: string) {
  return { name, trace: name, runs: null, repeat: 1, cpu: 0, measured: false } as const;
}

function stack(pageCount: number): Epc {
  const machine = { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount }] };
  const epc = createEpc({ ...presets.epckit, machine });
  epc.boot();
  return epc;
}

function built(epc: Epc, columns: TraceColumns): Program {
  const program = new Program(epc, settings('bench'), [columns], () => {});
  epc.machine.run(program.thread, program.build());
  return program;
}

/** (a) */
function bareLoop(bits: Uint8Array, page: Uint32Array): number {
  const begin = performance.now();
  for (let run = 0; run < page.length; run++) {
    const at = page[run] as number;
    bits[at] = (bits[at] as number) | 16;
  }
  return performance.now() - begin;
}

/** (b) */
function replay(epc: Epc, program: Program): number {
  const begin = performance.now();
  epc.machine.run(program.thread, program.replay());
  return performance.now() - begin;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number;
}

const bits = new Uint8Array(trace.pageNumber.length);
const roomy = stack(4096);
const program = built(roomy, trace);
const bare: number[] = [];
const full: number[] = [];
for (let round = 0; round < ROUNDS + 2; round++) {
  const a = bareLoop(bits, trace.page);
  const b = replay(roomy, program);
  if (round < 2) continue;
  bare.push(a);
  full.push(b);
}

const scanPages = 2048;
const scan = generateCyclicScan({ runCount: 1_000_000, pageCount: scanPages, writeShare: 0.3, seed: 1 });
const faultRates: number[] = [];
let faults = 0;
for (let round = 0; round < FAULT_ROUNDS; round++) {
  const epc = stack(1024);
  const thrashing = built(epc, scan);
  const ms = replay(epc, thrashing);
  faults = thrashing.thread.counts[21] as number;
  faultRates.push((faults / ms) * 1000);
}

const nsPerRun = (ms: number): number => (ms * 1e6) / trace.length;
console.log(
  JSON.stringify({
    bench: 'access-path',
    runs: trace.length,
    bareLoopNsPerRun: nsPerRun(median(bare)),
    accessPathNsPerRun: nsPerRun(median(full)),
    ratio: median(full) / median(bare),
    faultsPerRound: faults,
    faultsPerSecond: Math.round(median(faultRates)),
  }),
);
