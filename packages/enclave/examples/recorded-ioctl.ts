import type { SgxIoctlArgument } from '@epckit/enclave';
import { decodeIoctl, modifyTypesArgument, sgxIoctls, writtenBack } from '@epckit/enclave';
import type { Routine } from '@epckit/interface';
import { errnoNames, PageType, Prot } from '@epckit/interface';
import { createAddressSpace } from '@epckit/mm';
import { compose } from './compose.js';

/** Lines that the example prints. */
export const output: string[] = [];

const leaves: string[] = [];
const { machine, driver } = compose(8, leaves);
const thread = machine.createThread({ name: 'task', cpu: 0 });
const run = <T>(routine: Routine<T>): T => machine.run(thread, routine);

const mm = createAddressSpace(
  { id: 0, name: 'loader', cpuCount: 2 },
  { locks: machine, objects: machine.objects, monitor: machine.checking, probe: null },
);
const enclave = driver.open();
run(driver.create.run(thread, enclave, { pageCount: 4, basePage: driver.chooseBasePage(4), attributes: 4 }));
const pages = { page: 0, count: 2, type: PageType.REG, prot: Prot.R | Prot.W, isMeasured: false };
run(driver.addPages.run(thread, mm, enclave, pages));
run(driver.init.run(thread, enclave, {}));
leaves.length = 0;

// What a tracer has recorded of an ioctl(fd, 0xc028a406, …) that trims three pages of which two exist.
const argument = { offset: 0n, length: 0x3000n, page_type: BigInt(PageType.TRIM), result: 0n, count: 0n };
const bytes = sgxIoctls.MODIFY_TYPES.argument.encode(argument);

const recorded = decodeIoctl(0xc028a406, bytes);
if (recorded?.name === 'MODIFY_TYPES') {
  const done = run(driver.modifyTypes.run(thread, enclave, modifyTypesArgument(recorded.argument)));
  show(done.result, { ...recorded.argument, ...writtenBack(done) });
}

function show(result: number, after: SgxIoctlArgument<'MODIFY_TYPES'>): void {
  output.push(
    `${errnoNames[-result] ?? 0}: count ${after.count} of ${after.length} bytes, result ${after.result}`,
  );
  output.push(leaves.join(' '));
}

for (const line of output) console.log(line);
