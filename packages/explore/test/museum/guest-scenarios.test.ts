import { SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Case, ExplorationResult } from '../../src/index.js';
import { explore, formatFinding } from '../../src/index.js';
import * as cases from './guest-scenario-cases.js';
import type { GuestWorld } from './guest-scenarios.js';

/** Preemptions in the searches; the full size is 2. */
const PREEMPTIONS = Number(process.env['EPCKIT_GUEST_PREEMPTIONS'] ?? 1);

const timeout = { timeout: 7_200_000 };

/** Marks of `GuestScene`. */
const BLOCKED = 'instruction while a page is blocked';
const PINNED = 'instruction while the SECS is pinned';
const DEAD = 'dead while a page is blocked';
const SIGNAL = 'signal during the fault';

interface Search {
  readonly name: string;
  readonly subject: Case;
  /** Places that some execution must have reached: a search that never meets the race proves nothing. */
  readonly marks: readonly string[];
  /** Final states. Default: not looked at. */
  readonly states?: readonly string[];
  /** May leaves overlap? Default: false. */
  readonly overlaps?: boolean;
  /** Preemptions besides those of all searches. Default: 0. */
  readonly more?: number;
  /** Most preemptions in the full size. Default: no limit. */
  readonly most?: number;
}

const SEEN = 'read 0: 2 3 false 102';

const searches: readonly Search[] = [
  { name: 'S-02: two touches in a full EPC', subject: cases.sameTouch, marks: ['reached'] },
  { name: 'S-08: evictions beside a program', subject: cases.everything, marks: [BLOCKED, PINNED] },
  {
    name: 'S-08: EREMOVE of a page beside its eviction',
    subject: cases.removingChild(),
    marks: [BLOCKED],
    more: 1,
  },
  {
    name: 'S-08: two reads of an evicted page',
    subject: cases.sameLoad(),
    marks: [PINNED],
    overlaps: true,
    more: 1,
  },
  {
    name: 'S-09: EREMOVE of the SECS beside the load of its child',
    subject: cases.removingBesideLoad(),
    marks: [PINNED],
    overlaps: true,
    more: 1,
  },
  {
    name: 'S-09: EREMOVE of the SECS beside the eviction of its last child',
    subject: cases.removing(),
    marks: ['reached', BLOCKED, PINNED],
    overlaps: true,
    more: 1,
  },
  {
    name: 'S-09: EREMOVE of the SECS beside REMOVE_ALL of the section of its child',
    subject: cases.removingBesideDrop(),
    marks: ['exit 2 repeated'],
    states: ['eremove 0', `eremove ${SgxCode.CHILD_PRESENT}`],
    overlaps: true,
    more: 1,
  },
  {
    name: 'S-10: EBLOCK and EWB of the guest beside an eviction',
    subject: cases.blocked,
    marks: ['reached', BLOCKED, PINNED],
  },
  {
    name: 'S-11: two loads of children of one SECS',
    subject: cases.twoLoads,
    marks: [PINNED],
    overlaps: true,
  },
  {
    name: 'S-11: a load beside evictions of sibling and SECS',
    subject: cases.pinned(),
    marks: [BLOCKED, PINNED],
    overlaps: true,
  },
  {
    name: 'S-13: ETRACK beside an eviction',
    subject: cases.tracking(),
    marks: ['exit 0 repeated', PINNED],
    overlaps: true,
    more: 1,
  },
  {
    name: 'S-13: the same while a virtual CPU is inside',
    subject: cases.trackingInside(),
    marks: ['exit 0 repeated', 'exit 1 repeated', PINNED],
    overlaps: true,
  },
  {
    name: 'S-15: the end of the VM beside an eviction',
    subject: cases.destroying(),
    marks: ['reached', DEAD],
  },
  {
    name: 'S-15: the same with SECS and child in one section',
    subject: cases.destroyingOne(),
    marks: ['reached', DEAD],
  },
  {
    name: 'S-16: two loads without a page for the SECS',
    subject: cases.noRoom,
    marks: ['reached', PINNED],
    most: 1,
  },
  {
    name: 'S-17: a memory error beside an eviction',
    subject: cases.poisoned,
    marks: [],
    states: ['evicted 1030', 'kept 1010', 'kept 1050'],
  },
  {
    name: 'S-18: munmap beside an eviction',
    subject: cases.unmapping,
    marks: [],
    states: ['evicted 1030', 'kept 1010'],
  },
  { name: 'S-18: munmap beside a load', subject: cases.unmappingLoad, marks: [], states: [SEEN, 'read -7'] },
  { name: 'S-19: a signal beside a fault at the limit', subject: cases.signalled(), marks: [SIGNAL] },
];

/** Two ETRACKs while nobody is inside, and while a virtual CPU is: what both get unless they overlap, and the exit. */
const idle = [
  { subject: cases.twoTracks, usual: 'etrack 0,etrack 0', mark: 'exit 0 delivered' },
  { subject: cases.twoTracksInside, usual: 'etrack 0,etrack 17', mark: 'exit 1 delivered' },
];

/** Nothing is wrong, and every place was reached. */
function expectSound({ finding, marks }: ExplorationResult, places: readonly string[]): void {
  expect(finding && formatFinding(finding)).toBe(null);
  expect(places.filter((place) => !marks.has(place))).toEqual([]);
}

describe('no order is wrong', () => {
  for (const { name, subject, marks, states, overlaps = false, more = 0, most = 9 } of searches) {
    it(name, timeout, () => {
      const result = explore(subject, {
        strategy: 'dfs',
        preemptions: Math.min(PREEMPTIONS + more, most),
        overlaps,
        onStep: (_, world) => (world as GuestWorld).watch(),
      });
      expectSound(result, marks);
      if (states !== undefined) expect([...result.finalStates].sort()).toEqual([...states].sort());
      expect(result.limit).toBe('preemptions');
      if (PREEMPTIONS > 1) console.log(`${name}: ${result.executions} executions`);
    });
  }

  it.each(idle)('S-14: two ETRACKs of the guest, the host idle: $usual', ({ subject, usual, mark }) => {
    const result = explore(subject, { strategy: 'dfs', overlaps: true });
    expectSound(result, ['exit 0 delivered', mark]);
    expect(result.status).toBe('exhausted');
    // Its own race is #GP, as on a bare machine; nothing is repeated for ever.
    expect([...result.finalStates].sort()).toEqual([usual, 'etrack 0,etrack GP'].sort());
  });

  it('EBLOCK of the guest that meets ETRACKC of the host is told so: no exit reports that conflict', () => {
    const [atomic, overlapping] = [false, true].map((overlaps) =>
      explore(cases.blockingSibling, { strategy: 'dfs', preemptions: PREEMPTIONS, overlaps }),
    ) as [ExplorationResult, ExplorationResult];
    for (const result of [atomic, overlapping]) expectSound(result, []);
    expect([...atomic.finalStates]).toEqual(['eblock 0']);
    expect([...overlapping.finalStates].sort()).toEqual(['eblock 0', `eblock ${SgxCode.ENTRYEPOCH_LOCKED}`]);
  });
});
