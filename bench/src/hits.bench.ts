/**
 * Times the hit path against a bare loop that only sets a bit: 17 million runs over 2,576 present pages.
 *
 *     npx pnpm bench hits
 */
import { runHits, runHitsUntil } from '@epckit/mm';

const RUN_COUNT = 17_000_000;
const PAGE_COUNT = 2576;
const PRESENT_RWX = 15;

const page = new Uint32Array(RUN_COUNT);
const type = new Uint8Array(RUN_COUNT);
const count = new Uint32Array(RUN_COUNT);
let random = 1;
for (let run = 0; run < RUN_COUNT; run++) {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  page[run] = (random >>> 8) % PAGE_COUNT;
  type[run] = (random >>> 4) % 3;
  count[run] = 1 + ((random >>> 20) & 1);
}
const pte = new Uint8Array(PAGE_COUNT);
const out = new Float64Array(1);

function bare(bytes: Uint8Array, pages: Uint32Array, from: number, to: number): number {
  for (let run = from; run < to; run++) (bytes[pages[run] as number] as number) |= 16;
  return to;
}

function inSlices(): number {
  let run = 0;
  while (run < RUN_COUNT) run = runHitsUntil(pte, page, type, count, run, RUN_COUNT, 5000, out);
  return run;
}

const loops: Record<string, () => number> = {
  bare: () => bare(pte, page, 0, RUN_COUNT),
  runHits: () => runHits(pte, page, type, 0, RUN_COUNT),
  runHitsUntil: () => runHitsUntil(pte, page, type, count, 0, RUN_COUNT, Number.POSITIVE_INFINITY, out),
  'runHitsUntil in slices': inSlices,
};

const best: Record<string, number> = {};
for (let round = 0; round < 9; round++) {
  for (const [name, loop] of Object.entries(loops)) {
    pte.fill(PRESENT_RWX);
    const start = performance.now();
    if (loop() !== RUN_COUNT) throw new Error(`${name} stopped early`);
    best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, performance.now() - start);
  }
}
for (const [name, ms] of Object.entries(best)) {
  const ratio = (ms / (best['bare'] as number)).toFixed(2);
  console.log(
    `${name.padEnd(24)} ${ms.toFixed(1)} ms  ${((ms * 1e6) / RUN_COUNT).toFixed(2)} ns per run  ${ratio} x bare`,
  );
}
