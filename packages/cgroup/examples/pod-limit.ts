import {
  CGROUP_MOUNT,
  createCgroupTree,
  createMiscController,
  createRefusal,
  parseEpcQuantity,
  parseUnified,
  RefusalCause,
  Resource,
} from '@epckit/cgroup';
import type { Routine } from '@epckit/interface';
import { errnoNames, PAGE_SIZE_BYTES } from '@epckit/interface';
import { createMachine } from '@epckit/machine';

/** Lines that the example prints. */
export const output: string[] = [];

const machine = createMachine({ cpus: [{ node: 0 }] });
const thread = machine.createThread({ name: 'cpu 0', cpu: 0 });
const run = <T>(routine: Routine<T>): T => machine.run(thread, routine);

const controller = createMiscController(
  { capacities: { sgx_epc: 98_041_856 } },
  { locks: machine, probe: null },
);
const tree = createCgroupTree({ controller, locks: machine });

// A pod asks for 12 KiB of EPC, and its runtime gets what the device plugin's chain makes of that.
const pod = `${CGROUP_MOUNT}/kubepods/pod-a`;
const { miscMax, pageCount } = parseEpcQuantity('12Ki');
const { setting } = parseUnified({ 'misc.max': miscMax }, ['sgx_epc']);
output.push(`limit: ${setting?.limit} bytes, ${pageCount} pages`);

// The runtime makes the container's cgroup, limits the pod and starts process 100 in it.
run(tree.mkdirAll(thread, `${pod}/container`));
run(tree.files.write(thread, `${pod}/misc.max`, `${miscMax}\n`));
tree.addProcess(100);
run(tree.files.write(thread, `${pod}/container/cgroup.procs`, '100\n'));

// The process builds an enclave: each page is charged to its group, which the page refers to until it is freed.
tree.processes.setCurrent(thread, 100);
const refusal = createRefusal();
const charged: number[] = [];
for (;;) {
  const group = run(tree.processes.getCurrent(thread));
  const result = run(controller.tryCharge(thread, Resource.SGX_EPC, group, PAGE_SIZE_BYTES, refusal));
  if (result === 0) {
    charged.push(group);
    continue;
  }
  run(controller.put(thread, group));
  const by = controller.group(refusal.group)?.name;
  const bound = refusal.cause === RefusalCause.LIMIT ? 'its limit' : 'the capacity of the machine';
  output.push(`page ${charged.length + 1}: ${errnoNames[-result]}, refused by ${by} for ${bound}`);
  break;
}
const files = ['misc.max', 'misc.current', 'misc.peak', 'misc.events', 'misc.events.local'];
for (const directory of [pod, `${pod}/container`]) {
  const contents = files.map((file) => `${tree.files.peek(`${directory}/${file}`)}`.trimEnd());
  output.push(`${directory.slice(CGROUP_MOUNT.length)}: ${contents.join(', ')}`);
}

// The process exits and the runtime removes the cgroups; the pages are still there, and so is their charge.
run(tree.exit(thread, 100));
for (const path of [`${pod}/container`, pod]) run(tree.rmdir(thread, path));
const shown = () => `${tree.files.peek(`${CGROUP_MOUNT}/misc.current`)}`.trimEnd();
output.push(`removed: ${shown()}, groups ${controller.groups().map(({ name }) => name)}`);

// The enclave is released: uncharge, then drop the page's reference. The last one frees the groups.
for (const group of charged) {
  run(controller.uncharge(thread, Resource.SGX_EPC, group, PAGE_SIZE_BYTES));
  run(controller.put(thread, group));
}
output.push(`freed: ${shown()}, groups ${controller.groups().map(({ name }) => name)}`);

for (const line of output) console.log(line);
