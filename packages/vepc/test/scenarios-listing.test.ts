import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** Packages, from here. */
const PACKAGES = new URL('../../', import.meta.url);

interface Scenario {
  readonly id: string;
  readonly text: string;
  /** Files whose tests name it. */
  readonly files: readonly string[];
  /** Why its orders are not searched. Left out: they are, in the museum. */
  readonly alone?: string;
}

const [OVERSUB, GUEST, MUSEUM] = ['vepc/test/oversub', 'guest/test', 'explore/test/museum'];

/** Scenarios of 8.1 of the reference. */
const SCENARIOS: readonly Scenario[] = [
  {
    id: 'S-01',
    text: 'two virtual CPUs touch the same page',
    files: [`${MUSEUM}/virtual-epc.test.ts`, `${GUEST}/scenarios.test.ts`],
  },
  {
    id: 'S-02',
    text: 'the same, and no EPC page is free',
    files: [
      `${MUSEUM}/guest-scenarios.test.ts`,
      `${MUSEUM}/guest-neighbours.test.ts`,
      `${OVERSUB}/scenarios.test.ts`,
      `${GUEST}/scenarios.test.ts`,
    ],
  },
  { id: 'S-03', text: 'group at its limit', files: [`${MUSEUM}/guest-groups.test.ts`] },
  {
    id: 'S-04',
    text: 'EPC full of native enclaves',
    files: [`${MUSEUM}/guest-neighbours.test.ts`, `${GUEST}/scenarios.test.ts`],
  },
  {
    id: 'S-05',
    text: 'EPC full of raw guest pages',
    files: [`${MUSEUM}/guest-neighbours.test.ts`, `${GUEST}/scenarios.test.ts`],
  },
  { id: 'S-06', text: 'two closes', files: [`${MUSEUM}/virtual-epc.test.ts`] },
  { id: 'S-07', text: 'REMOVE_ALL and a close', files: [`${MUSEUM}/virtual-epc.test.ts`] },
  {
    id: 'S-08',
    text: 'everything is evicted before every instruction',
    files: [
      `${MUSEUM}/guest-scenarios.test.ts`,
      `${OVERSUB}/invisible.property.test.ts`,
      `${GUEST}/invisible.test.ts`,
    ],
  },
  {
    id: 'S-09',
    text: 'eviction of a child, EREMOVE of the SECS',
    files: [`${MUSEUM}/guest-scenarios.test.ts`, `${OVERSUB}/mutants.test.ts`],
  },
  {
    id: 'S-10',
    text: 'the guest has blocked the page',
    files: [
      `${MUSEUM}/guest-scenarios.test.ts`,
      `${OVERSUB}/scenarios.test.ts`,
      `${OVERSUB}/mutants.test.ts`,
    ],
  },
  {
    id: 'S-11',
    text: 'two children of one SECS come back',
    files: [`${MUSEUM}/guest-scenarios.test.ts`, `${OVERSUB}/mutants.test.ts`, `${OVERSUB}/pins.test.ts`],
  },
  {
    id: 'S-12',
    text: 'SECS and child in two instances, both reclaimed',
    files: [`${OVERSUB}/mutants.test.ts`, `${MUSEUM}/guest-reclaim.test.ts`],
  },
  {
    id: 'S-13',
    text: 'ETRACK of guest and host',
    files: [`${MUSEUM}/guest-scenarios.test.ts`, `${OVERSUB}/conflict-exits.test.ts`],
  },
  {
    id: 'S-14',
    text: 'two ETRACKs of the guest',
    files: [
      `${MUSEUM}/guest-scenarios.test.ts`,
      `${OVERSUB}/conflict-exits.test.ts`,
      `${GUEST}/scenarios.test.ts`,
    ],
  },
  {
    id: 'S-15',
    text: 'the VM ends between block and write',
    files: [`${MUSEUM}/guest-scenarios.test.ts`, `${OVERSUB}/lifecycle.test.ts`],
  },
  {
    id: 'S-16',
    text: 'no EPC page for the SECS of a child',
    files: [`${MUSEUM}/guest-scenarios.test.ts`, `${OVERSUB}/scenarios.test.ts`],
  },
  {
    id: 'S-17',
    text: 'memory error, then close',
    files: [
      `${MUSEUM}/guest-scenarios.test.ts`,
      `${MUSEUM}/guest-groups.test.ts`,
      `${GUEST}/lifecycle.test.ts`,
    ],
  },
  {
    id: 'S-18',
    text: 'munmap by the VMM',
    files: [`${MUSEUM}/guest-scenarios.test.ts`, `${OVERSUB}/lifecycle.test.ts`],
  },
  {
    id: 'S-19',
    text: 'signal during a fault at the limit',
    files: [`${MUSEUM}/guest-scenarios.test.ts`, `${OVERSUB}/lifecycle.test.ts`],
  },
  {
    id: 'S-20',
    text: 'ECREATE with PROVISIONKEY',
    files: [`${GUEST}/scenarios.test.ts`],
    alone: 'one virtual CPU, and KVM works on copies of all operands',
  },
];

/** Titles of tests and suites in a file, roughly: lines that begin one, and names in tables of tests. */
function titles(file: string): string {
  const lines = readFileSync(new URL(file, PACKAGES), 'utf8').split('\n');
  return lines.filter((line) => /^\s*(it|describe)\b|name: /.test(line)).join('\n');
}

it('every scenario of the reference has tests that name it', () => {
  const listing = SCENARIOS.map(({ id, text, files }) => `${id}  ${text.padEnd(48)}  ${files.join(', ')}`);
  console.log(listing.join('\n'));
  const missing = SCENARIOS.flatMap(({ id, files }) => {
    return files.filter((file) => !titles(file).includes(id)).map((file) => `${id} in ${file}`);
  });
  expect(missing).toEqual([]);
});

it('the orders of every scenario with more than one thread are searched', () => {
  const searched = SCENARIOS.filter(({ files }) => files.some((file) => file.startsWith(MUSEUM)));
  const alone = SCENARIOS.filter((scenario) => scenario.alone !== undefined);
  expect([...searched, ...alone].map(({ id }) => id).sort()).toEqual(SCENARIOS.map(({ id }) => id));
});

it('there are as many scenarios as the reference has', () => {
  const ids = Array.from({ length: 20 }, (_, index) => `S-${String(index + 1).padStart(2, '0')}`);
  expect(SCENARIOS.map(({ id }) => id)).toEqual(ids);
});
