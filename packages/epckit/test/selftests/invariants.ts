import { checkEnclaves } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { checkEpcm } from '@epckit/hardware';
import { checkPools } from '@epckit/numa';
import type { Epc } from '../../src/index.js';

/** What contradicts an invariant of a machine at rest, one text each; empty for a sound machine. */
export function brokenInvariants(epc: Epc): string[] {
  const { frames, hardware, machine } = epc;
  return [
    ...checkFrames(frames).map(({ problem, page }) => `page ${page}: ${problem}`),
    ...checkPools(epc.pools, frames),
    ...checkEpcm(hardware).map(textOf),
    ...checkEnclaves(epc.driver, frames, hardware, epc.hasLostPower).map(textOf),
    ...machine.threads.filter(({ held }) => held.length > 0).map(({ name }) => `${name} holds a lock`),
    ...stalePages(epc),
  ];
}

/** I-8: an entry names the EPC page that the record has; nothing else is mapped. */
function stalePages({ driver }: Epc): string[] {
  const found: string[] = [];
  for (const enclave of driver.enclaves()) {
    for (const mm of enclave.addressSpaces()) {
      const table = mm.table(enclave.id);
      if (table === undefined) continue;
      for (let page = 0; page < table.pte.length; page++) {
        if (table.pte[page] === 0 || table.frame(page) === enclave.records.epc(page)) continue;
        found.push(`I-8: page ${page} of enclave ${enclave.id} is mapped to EPC page ${table.frame(page)}`);
      }
    }
  }
  return found;
}

function textOf(problem: string | { readonly rule: string; readonly message: string }): string {
  return typeof problem === 'string' ? problem : `${problem.rule}: ${problem.message}`;
}
