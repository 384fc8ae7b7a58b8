/**
 * Times sanitizing 16 GiB of EPC (4 Mi pages) in the direct world, with hardware that only answers EREMOVE.
 *
 *     npx pnpm bench sanitize
 */
import { createFrameTable } from '@epckit/frames';
import type { SgxHardware } from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import { createNodePools } from '@epckit/numa';

const PAGE_COUNT = 4 << 20;

const hardware: Pick<SgxHardware, 'leafAt' | 'eremove'> = { leafAt: () => 0, eremove: () => 0 };

for (let round = 0; round < 3; round++) {
  const machine = createMachine({ cpus: [{ node: 0 }] });
  const sections = [{ node: 0, pageCount: PAGE_COUNT }];
  const begin = performance.now();
  const frames = createFrameTable({ sections }, { objects: machine.objects, monitor: null });
  machine.changes = () => frames.changes;
  const pools = createNodePools(
    {},
    { frames, locks: machine, hardware: hardware as SgxHardware, probe: null },
  );
  const made = performance.now();
  const daemon = machine.createThread({ name: 'ksgxd', cpu: 0, isKernel: true });
  machine.run(daemon, pools.sanitize(daemon));
  const end = performance.now();
  if (pools.free !== PAGE_COUNT) throw new Error('pages are missing');
  const ns = ((end - made) * 1e6) / PAGE_COUNT;
  console.log(
    `made in ${(made - begin).toFixed(0)} ms, sanitized in ${(end - made).toFixed(0)} ms (${ns.toFixed(0)} ns per page)`,
  );
}
