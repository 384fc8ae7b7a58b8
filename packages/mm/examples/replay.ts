import { Access, Prot, Walk } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createAddressSpace, runHits } from '@epckit/mm';

/** Lines that the example prints. */
export const output: string[] = [];

const machine = createMachine({ cpus: [{ node: 0 }] });
const components = { locks: machine, objects: machine.objects, monitor: null, probe: null };
const mm = createAddressSpace({ id: 0, name: 'program', cpuCount: 1 }, components);
const enclave = mm.tableFor(0, 8);

function* mapAll(thread: MachineThread) {
  while (mm.lock.mustWaitWrite(thread)) yield mm.lock.acquireWrite;
  enclave.map(thread, 0, 8, Prot.R | Prot.W);
  mm.lock.releaseWrite(thread);
}
const thread = machine.createThread({ name: 'program', cpu: 0, mm: 0 });
machine.run(thread, mapAll(thread));

// Replay: plain hits run in a tight loop, the first run that is no hit comes back as a fault.
const page = Uint32Array.of(3, 4, 3, 5);
const type = Uint8Array.of(0, 1, 0, 2);
for (let run = 0; run < page.length; run++) {
  run = runHits(enclave.pte, page, type, run, page.length);
  if (run === page.length) break;
  const reason = mm.walk(0, page[run] as number, type[run] as 0 | 1 | 2);
  if (reason === Walk.NOT_PRESENT) enclave.insert(thread, page[run] as number);
  output.push(reason === Walk.NOT_PRESENT ? `fault on ${page[run]}` : `no right on ${page[run]}`);
}
output.push(`young: ${enclave.testAndClearYoung(thread, 3)}, then ${enclave.testAndClearYoung(thread, 3)}`);
output.push(`a read of page 4: ${mm.walk(0, 4, Access.READ) === Walk.HIT ? 'hit' : 'fault'}`);

for (const line of output) console.log(line);
