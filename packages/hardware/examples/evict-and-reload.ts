// A two-page enclave loses a page and gets it back; then three things that the hardware refuses.
import { checkEpcm, createSgxHardware } from '@epckit/hardware';
import type { PagingBlob } from '@epckit/interface';
import { Attribute, PageType, SecInfo, sgxCodeNames } from '@epckit/interface';

let objectCount = 0;
const objects = {
  range(_kind: string, count: number): number {
    objectCount += count;
    return objectCount - count;
  },
  nameOf: (object: number): string => `object ${object}`,
};
const hardware = createSgxHardware({ pageCount: 8, cpuCount: 2 }, { objects, monitor: null, probe: null });

const [VA, SECS, TCS, DATA] = [0, 1, 2, 3] as const;
const BASE = 0x1000;
const tcs = PageType.TCS << SecInfo.TYPE_SHIFT;
const data = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
const blob: PagingBlob = { contents: 0, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 };

function show(what: string, result: number): void {
  console.log(`${what.padEnd(34)} ${result === 0 ? 'ok' : `${result} ${sgxCodeNames[result] ?? 'fault'}`}`);
}

hardware.epa(0, VA);
hardware.ecreate(0, SECS, { basePage: BASE, pageCount: 2, attributes: Attribute.MODE64BIT, ssaFrameSize: 1 });
hardware.eadd(0, TCS, SECS, BASE, tcs, 1);
hardware.eadd(0, DATA, SECS, BASE + 1, data, 2);
show('EINIT', hardware.einit(0, SECS, {}));
show('EENTER on CPU 1', hardware.eenter(1, TCS, BASE));

show('EWB before EBLOCK', hardware.ewb(0, DATA, VA, 0, blob)); // first refusal
show('EBLOCK', hardware.eblock(0, DATA));
show('ETRACK', hardware.etrack(0, SECS));
show('EWB while CPU 1 has not left', hardware.ewb(0, DATA, VA, 0, blob)); // second refusal
hardware.aex(1); // what an IPI does
show('ERESUME on CPU 1', hardware.eresume(1, TCS, BASE));
show('EWB', hardware.ewb(0, DATA, VA, 0, blob));

const older = { ...blob };
show('ELDU into another page', hardware.eldu(0, 5, SECS, VA, 0, blob));
show('ELDU of the same blob once more', hardware.eldu(0, 6, SECS, VA, 0, older)); // third refusal
console.log(`children ${hardware.secsChildren(SECS)}, violations ${checkEpcm(hardware).length}`);
