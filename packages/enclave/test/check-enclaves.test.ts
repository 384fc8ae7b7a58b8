import type { AddressSpace } from '@epckit/interface';
import { FrameFlag, OwnerKind, PageType } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Enclave } from '../src/index.js';
import { checkEnclaves } from '../src/index.js';
import { requestFor } from './request-for.js';
import { Stack } from './stack.js';

interface Built {
  readonly stack: Stack;
  readonly mm: AddressSpace;
  /** Pages 0 and 1 are resident, 2 is evicted; the range is four pages. */
  readonly enclave: Enclave;
}

/** Damages of one table each, and what shows. */
const damages: readonly [what: string, damage: (built: Built) => void, shows: string[]][] = [
  ['nothing', () => {}, []],
  [
    'the child count',
    ({ enclave }) => enclave.addChildren(1),
    ['I-2 Enclave 1: it counts 3 children, 2 are resident.'],
  ],
  [
    'a reference',
    ({ stack, enclave }) => enclave.refs.get(stack.thread()),
    ['I-7 Enclave 1: it has 3 references, file and address spaces are 2.'],
  ],
  [
    'page_cnt',
    ({ stack, enclave }) => enclave.slotUsers.add(stack.thread(), 600),
    [
      'I-6 Enclave 1: page_cnt is 604 for 3 pages and a SECS.',
      'I-6 Enclave 1: it has 1 version array pages and needs 2.',
    ],
  ],
  [
    'BEING_RECLAIMED',
    ({ enclave }) => enclave.records.setBeingReclaimed(0),
    ['I-4 Enclave 1: page 0 is being reclaimed.'],
  ],
  [
    'a page in a batch',
    ({ stack }) => void stack.run(stack.lists.isolate(stack.thread(), requestFor(1), new Int32Array(1))),
    [
      'I-7 Enclave 1: it has 3 references, file and address spaces are 2.',
      'I-3 Enclave 1: page 0 is in a batch.',
    ],
  ],
  [
    'a page that is not marked',
    ({ stack, enclave }) => void stack.run(stack.lists.unmark(stack.thread(), enclave.records.epc(1))),
    ['I-5 Enclave 1: page 1 is resident and not reclaimable.'],
  ],
  [
    'a poisoned page that is not marked, which is as it should be',
    ({ stack, enclave }) => {
      stack.run(stack.lists.unmark(stack.thread(), enclave.records.epc(1)));
      stack.frames.setPoisoned(enclave.records.epc(1));
    },
    [],
  ],
  [
    'TRACKED of a listed page',
    ({ stack, enclave }) => stack.frames.setFlags(enclave.records.epc(0), 0),
    ['I-1 Enclave 1: page 0 is listed and not tracked.'],
  ],
  [
    'a SECS on the reclaimable list',
    ({ stack, enclave }) => stack.run(stack.lists.mark(stack.thread(), enclave.secs)),
    ['I-5 Enclave 1: the SECS in EPC page 1 is on a list or has flags.'],
  ],
  [
    'the owner of a frame',
    ({ stack, enclave }) => stack.frames.setOwner(enclave.records.epc(0), OwnerKind.NATIVE, 9, 0),
    ['EPCM Enclave 1: the frame table has another owner or record for EPC page 2.'],
  ],
  [
    'an EPCM entry',
    ({ stack, enclave }) => void stack.hardware.eremove(0, enclave.records.epc(0)),
    [
      'EPCM Enclave 1: EPC page 2 holds record 0 and is invalid.',
      'I-2 Enclave 1: the EPCM has 1 children, 2 are resident.',
    ],
  ],
  [
    'EBLOCK without EWB',
    ({ stack, enclave }) => void stack.hardware.eblock(0, enclave.records.epc(0)),
    ['I-9 Enclave 1: page 0 is blocked and resident.'],
  ],
  [
    'a record without page and slot',
    ({ enclave }) => {
      enclave.records.insert(3, PageType.REG, 3);
    },
    [
      'I-6 Enclave 1: page 3 is neither resident nor evicted.',
      'I-6 Enclave 1: page_cnt is 4 for 4 pages and a SECS.',
    ],
  ],
  [
    'a slot that is used twice',
    ({ enclave }) => {
      enclave.records.insert(3, PageType.REG, 3);
      enclave.records.setEvicted(3, enclave.records.slot(2));
    },
    [
      'I-9 Enclave 1: the contents of page 3 are not in the file.',
      'I-6 Enclave 1: version slot 0 is used twice.',
      'I-6 Enclave 1: version array 0 has 1 slots in use, not 2.',
      'I-6 Enclave 1: page_cnt is 4 for 4 pages and a SECS.',
    ],
  ],
  [
    'a slot of no version array',
    ({ enclave }) => enclave.records.setEvicted(2, 5000),
    [
      'I-6 Enclave 1: version array 0 has 1 slots in use, not 0.',
      'I-6 Enclave 1: version array 9 is gone and needed.',
    ],
  ],
  [
    'a slot that the driver has given back',
    ({ enclave }) => enclave.paging?.slots.release(0),
    [
      'I-6 Enclave 1: version array 0 has 0 slots in use, not 1.',
      'I-6 Enclave 1: version array 0 holds 1 versions, not 0.',
    ],
  ],
  [
    'the backing file',
    ({ enclave }) => enclave.paging?.backing.close(),
    [
      'I-9 Enclave 1: the contents of page 2 are not in the file.',
      'I-9 Enclave 1: the PCMD of page 2 is not in the file.',
    ],
  ],
  [
    'a mapping of an evicted page',
    ({ stack, mm, enclave }) => void mm.table(enclave.id)?.insert(stack.thread(), 2),
    ['I-8 Enclave 1: page 2 is mapped in address space 0 and not resident.'],
  ],
  [
    'the SECS',
    ({ enclave }) => enclave.setSecsEvicted(-1),
    [
      'EPCM Enclave 1: page 0 is a child of EPC page 1, the SECS is -1.',
      'EPCM Enclave 1: page 1 is a child of EPC page 1, the SECS is -1.',
      'I-2b Enclave 1: 2 pages are resident without the SECS.',
      'I-6 Enclave 1: the SECS is neither resident nor evicted.',
      'I-1 EPC page 1 of enclave 1 is leaked.',
    ],
  ],
  [
    'two records of one EPC page',
    ({ enclave }) => enclave.setSecsResident(enclave.records.epc(0)),
    [
      'EPCM Enclave 1: page 0 is a child of EPC page 1, the SECS is 2.',
      'EPCM Enclave 1: page 1 is a child of EPC page 1, the SECS is 2.',
      'I-1 Enclave 1: EPC page 2 has two users.',
      'EPCM Enclave 1: the frame table has another owner or record for EPC page 2.',
      'EPCM Enclave 1: EPC page 2 has type 2, not 0.',
      'I-5 Enclave 1: the SECS in EPC page 2 is on a list or has flags.',
      'I-1 EPC page 1 of enclave 1 is leaked.',
    ],
  ],
  [
    'a page that is free and in use',
    ({ stack, enclave }) => stack.frames.setFlags(enclave.secs, FrameFlag.IS_FREE),
    [
      'I-5 Enclave 1: the SECS in EPC page 1 is on a list or has flags.',
      'I-1 EPC page 1 is free and has an owner.',
      'I-1 EPC page 1 is free and in use.',
      'I-1b EPC page 1 is free and valid in the EPCM.',
    ],
  ],
  [
    'a frame of an enclave that is gone',
    ({ stack }) => stack.frames.setOwner(40, OwnerKind.NATIVE, 7, 0),
    ['I-1 EPC page 40 is free and has an owner.', 'I-1 EPC page 40 of enclave 7 is leaked.'],
  ],
];

describe('checkEnclaves', () => {
  it.each(damages)('finds %s', (_, damage, shows) => {
    const built = build();
    damage(built);
    const { driver, frames, hardware } = built.stack;
    const found = checkEnclaves(driver, frames, hardware).map(({ rule, message }) => `${rule} ${message}`);
    expect(found.sort()).toEqual([...shows].sort());
  });

  it('has nothing to say of an enclave before CREATE', () => {
    const { stack } = build();
    stack.driver.open();
    expect(checkEnclaves(stack.driver, stack.frames, stack.hardware)).toEqual([]);
  });
});

function build(): Built {
  const stack = new Stack();
  const mm = stack.process(0);
  const enclave = stack.build(mm, { pages: 3 });
  for (const page of [0, 1]) stack.touch(mm, enclave, page);
  stack.reclaim();
  return { stack, mm, enclave };
}
