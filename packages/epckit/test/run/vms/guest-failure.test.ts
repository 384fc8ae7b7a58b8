import { GuestAccess } from '@epckit/guest';
import { expect, it } from 'vitest';
import { accessTrouble } from '../../../src/run/vms/guest-failure.js';

const inBacking = { epc: () => -1, slot: () => 3 };
const lost = { epc: () => -1, slot: () => -1 };
const { SIGBUS, FAULT_LIMIT, NO_MAPPING, EPCM } = GuestAccess;

it.each([
  [SIGBUS, inBacking, null, 'space', 'no free EPC page and none can be reclaimed'],
  [SIGBUS, inBacking, '__sgx_encl_eldu', 'loss', 'ELDU of the page or of its SECS has failed in the guest'],
  [SIGBUS, inBacking, 'sgx_encl_free_epc_page', 'loss', 'has warned in sgx_encl_free_epc_page'],
  [SIGBUS, lost, null, 'loss', 'the guest has lost the page when EWB failed'],
  [FAULT_LIMIT, inBacking, null, 'progress', 'every page is reclaimed before it can be used'],
  [NO_MAPPING, inBacking, null, 'loss', 'no mapping allows it'],
  [EPCM, inBacking, null, 'loss', 'refused by the EPCM'],
] as const)('says what outcome %i of an access comes from', (outcome, records, warnedIn, trouble, words) => {
  const enclave = { records } as unknown as Parameters<typeof accessTrouble>[1];
  const said = accessTrouble(outcome, enclave, 7, warnedIn);
  expect(said.trouble).toBe(trouble);
  expect(said.result).toContain(words);
});
