/**
 * State per page and time to be ready, with an EPC of 16 GiB (4,194,304 pages) and an enclave of 4 GiB.
 *
 * Bytes are those of typed arrays (`arrayBuffers`), before and after; the enclave has a range of 2^20 pages that
 * one process maps and of which none is added.
 */

import type { Epc } from 'epckit';
import { createEpc, presets } from 'epckit';

const EPC_PAGES = 4 * 2 ** 20;
const ENCLAVE_PAGES = 2 ** 20;

function arrayBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().arrayBuffers;
}

const before = arrayBytes();
const begin = performance.now();
const epc: Epc = createEpc({
  ...presets.epckit,
  machine: { cpus: [{ node: 0 }], sections: [{ node: 0, pageCount: EPC_PAGES }] },
});
const created = performance.now();
epc.boot();
const booted = performance.now();
const perEpcPage = (arrayBytes() - before) / EPC_PAGES;

const cpu = epc.cpus[0];
if (cpu === undefined) throw new Error('no CPU');
const { thread } = cpu;
const { driver, machine } = epc;
const { mm } = epc.createProcess('bench');
const beforeEnclave = arrayBytes();
const enclave = driver.open();
const range = { pageCount: ENCLAVE_PAGES, basePage: driver.chooseBasePage(ENCLAVE_PAGES), attributes: 4 };
machine.run(thread, driver.create.run(thread, enclave, range));
machine.run(thread, driver.mapper.map(thread, mm, enclave, { start: 0, end: ENCLAVE_PAGES, prot: 3 }));
const perEnclavePage = (arrayBytes() - beforeEnclave) / ENCLAVE_PAGES;

console.log(
  JSON.stringify({
    bench: 'footprint',
    epcPages: EPC_PAGES,
    freePages: epc.pools.free,
    bytesPerEpcPage: perEpcPage,
    bytesPerEnclavePageAndMapping: perEnclavePage,
    composeMs: Math.round(created - begin),
    sanitizeMs: Math.round(booted - created),
  }),
);
