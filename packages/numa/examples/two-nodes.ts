import { createFrameTable } from '@epckit/frames';
import type { SgxHardware } from '@epckit/interface';
import { Errno } from '@epckit/interface';
import { createMachine } from '@epckit/machine';
import { createNodePools, discoverSections } from '@epckit/numa';

/** Lines that the example prints. */
export const output: string[] = [];

// Three nodes with a CPU each; the third has no EPC.
const machine = createMachine({ cpus: [{ node: 0 }, { node: 1 }, { node: 2 }] });
const { sections, nodes } = discoverSections([
  { node: 0, pageCount: 2 },
  { node: 1, pageCount: 1 },
]);
output.push(nodes.map(({ node, pageCount }) => `node ${node}: ${pageCount} pages`).join(', '));

// Pools need one leaf of the hardware, EREMOVE; here every page is clean.
const hardware: Pick<SgxHardware, 'leafAt' | 'eremove'> = { leafAt: () => 0, eremove: () => 0 };
const frames = createFrameTable({ sections }, { objects: machine.objects, monitor: null });
const pools = createNodePools({}, { frames, locks: machine, hardware: hardware as SgxHardware, probe: null });

const daemon = machine.createThread({ name: 'ksgxd', cpu: 0, isKernel: true });
machine.run(daemon, pools.sanitize(daemon));
output.push(`free: ${pools.free}`);

// A CPU takes from its own node first, then from the next ones with wrap-around.
for (const cpu of [1, 1, 2, 2]) {
  const thread = machine.createThread({ name: `thread on CPU ${cpu}`, cpu });
  const page = machine.run(thread, pools.take(thread));
  output.push(
    page === -Errno.ENOMEM ? `CPU ${cpu}: no page` : `CPU ${cpu}: page ${page} of node ${frames.node(page)}`,
  );
}

for (const line of output) console.log(line);
