/**
 * What the EPC controller costs: faults that evict and reload in a stack without it, with it and no limit, and at a limit
 * of its group with 1 to 1,000 empty groups beside it. The direct world, processor time, interleaved, medians and spread.
 *
 *     npx pnpm bench groups
 */
import { Cost } from '@epckit/interface';
import { generateCyclicScan } from '@epckit/trace';
import type { CgroupSettings } from 'epckit';
import { createEpc, Program, presetCgroups, presets } from 'epckit';

const ROUNDS = 7;
const PAGE = 4096;
const EPC_PAGES = 1024;
const scan = generateCyclicScan({ runCount: 40_000, pageCount: 2 * EPC_PAGES, writeShare: 0.3, seed: 1 });

interface Variant {
  readonly name: string;
  /** Groups besides that of the enclave; `null`: no controller. */
  readonly others: number | null;
  /** Is the enclave's group limited to half of its pages, in an EPC that is large enough? */
  readonly isLimited: boolean;
}

const variants: readonly Variant[] = [
  { name: 'no controller', others: null, isLimited: false },
  { name: 'controller, no limit', others: 0, isLimited: false },
  ...[0, 9, 99, 999].map((others) => ({ name: `limit, ${others + 1} groups`, others, isLimited: true })),
];

/** Faults per second of processor time. */
function faultRate({ others, isLimited }: Variant): number {
  const pageCount = isLimited ? 4 * EPC_PAGES : EPC_PAGES;
  const machine = { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount }] };
  const cgroups = others === null ? {} : { cgroups: presetCgroups('epckit') as CgroupSettings };
  const epc = createEpc({ ...presets.epckit, ...cgroups, machine });
  epc.boot();
  const { thread } = epc.userThread(0);
  if (others !== null) epc.cgroups?.makeGroup(thread, '/all/own', isLimited ? EPC_PAGES * PAGE : undefined);
  for (let index = 0; index < (others ?? 0); index++) epc.cgroups?.makeGroup(thread, `/all/other${index}`);
  const placed = others === null ? {} : { cgroup: '/all/own' };
  const settings = { name: 'bench', trace: '', runs: null, repeat: 1, cpu: 0, measured: false, ...placed };
  const program = new Program(epc, settings, [scan], () => {});
  epc.machine.run(program.thread, program.build());
  const before = program.thread.counts[Cost.ELDU] as number;
  const begin = process.cpuUsage();
  epc.machine.run(program.thread, program.replay());
  const { user, system } = process.cpuUsage(begin);
  return ((program.thread.counts[Cost.ELDU] as number) - before) / ((user + system) / 1e6);
}

const rates = variants.map((): number[] => []);
for (let round = 0; round <= ROUNDS; round++) {
  for (const [index, variant] of variants.entries()) {
    const rate = faultRate(variant);
    if (round > 0) rates[index]?.push(rate);
  }
}
for (const [index, { name }] of variants.entries()) {
  const sorted = (rates[index] as number[]).sort((a, b) => a - b);
  const [low, middle, high] = [sorted[0], sorted[ROUNDS >> 1], sorted.at(-1)].map((rate) =>
    Math.round(rate as number),
  );
  console.log(JSON.stringify({ bench: 'groups', name, faultsPerSecond: middle, low, high }));
}
