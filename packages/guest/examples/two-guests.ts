import type { Routine } from '@epckit/interface';
import type { VirtualCpu, VirtualMachine } from '../src/index.js';
import { checkGuest, createVirtualMachine, GuestProgram, parseQemuEpc, phasedTrace } from '../src/index.js';
import { compose } from './compose.js';

/** Lines that the example prints. */
export const output: string[] = [];

const { machine, host, vms, free } = compose(48, 2);
const thread = machine.createThread({ name: 'qemu', cpu: 0 });
const run = <T>(routine: Routine<T>): T => machine.run(thread, routine);

/** A virtual machine from its QEMU options, with one virtual CPU. */
function start(name: string, cpu: number, options: string): VirtualMachine {
  const kernel = { lowPages: 2, highPages: 4 };
  const vm = createVirtualMachine({ name, cpus: [cpu], sections: parseQemuEpc(options), kernel }, host);
  if (vm === null) throw new Error('ENOMEM');
  vms.push(vm);
  run(vm.start(thread));
  return vm;
}

/** Runs something of the guest on its virtual CPU. */
function runIn(vm: VirtualMachine, routine: Routine<unknown>): void {
  const cpu = vm.cpus[0] as VirtualCpu;
  machine.run(cpu.thread, vm.onCpu(cpu.thread, routine));
}

function show(vm: VirtualMachine, what: string): void {
  const resident = vm.instances.reduce((sum, { pages }) => sum + pages.count, 0);
  const violations = vms.flatMap((other) => checkGuest(other)).length;
  output.push(
    `${vm.name} ${what}: ${resident} pages in the EPC, ${vm.evictedPages()} evicted by the host, ` +
      `${vm.kernel.pools.free} free in the guest, ${free()} on the host, violations ${violations}`,
  );
}

// A guest with 32 EPC pages and an enclave of 41: its own kernel reclaims.
const first = start('first', 0, '-object memory-backend-epc,id=m,size=128K -M sgx-epc.0.memdev=m');
const program = new GuestProgram(first, { name: 'app', dataPages: 40 }, machine);
runIn(first, program.build(first.cpus[0] as VirtualCpu));
show(first, 'built');

// A second guest, and not enough EPC for both: the host reclaims.
const second = start('second', 1, '-object memory-backend-epc,id=m,size=128K -M sgx-epc.0.memdev=m');
const other = new GuestProgram(second, { name: 'app', dataPages: 20 }, machine);
runIn(second, other.build(second.cpus[0] as VirtualCpu));
show(first, 'after the second');

// Both go on. Neither sees that pages were away.
const trace = phasedTrace({ pages: 20, workingSet: 10, phases: 2, runsPerPhase: 100 });
runIn(first, program.replay(first.cpus[0] as VirtualCpu, trace));
runIn(second, other.replay(second.cpus[0] as VirtualCpu, trace));
output.push(
  `accesses: ${program.accesses} and ${other.accesses}, enclaves lost: ${program.rebuilds + other.rebuilds}`,
);

// The guest reboots: the VMM makes all pages unused, and the next kernel begins.
const left = run(first.reboot(thread));
show(first, `rebooted with ${left} pages left`);

for (const vm of vms) run(vm.end(thread));
output.push(`in the end ${free()} of 48 pages are free`);

for (const line of output) console.log(line);
