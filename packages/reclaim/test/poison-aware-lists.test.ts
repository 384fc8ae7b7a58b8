import { FrameFlag, Verdict } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { createOwnerRegistry, secondChance } from '../src/index.js';
import { GlobalLists, PoisonAwareLists } from '../src/recipes.js';
import { Fixture } from './fixture.js';

/** The list of a fixture's pages, made by a class of lists. */
function setUp(Lists: typeof GlobalLists) {
  const { frames, machine, owner, threads } = new Fixture();
  const owners = createOwnerRegistry();
  owners.register(owner);
  const lists = new Lists({
    frames,
    locks: machine,
    owners,
    policy: secondChance()({ frames }),
    probe: null,
  });
  const [thread] = threads as [(typeof threads)[number]];
  return { frames, owner, lists, thread, run: machine.run.bind(machine) };
}

describe('a poisoned page (L-06)', () => {
  it.each([
    ['is listed by Linux', GlobalLists, [0, 1]],
    ['is never listed if the lists look at the mark', PoisonAwareLists, [NaN, NaN]],
  ] as const)('%s', (_, Lists, expected) => {
    const { frames, owner, lists, thread, run } = setUp(Lists);
    for (const page of [0, 1]) frames.setOwner(page, owner.kind, 1, page);
    run(thread, lists.mark(thread, 1));
    const victims = new Int32Array(1);
    const request = { target: 0, maxPages: 1, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
    run(thread, lists.isolate(thread, request, victims));
    for (const page of [0, 1]) frames.setPoisoned(page);
    run(thread, lists.mark(thread, 0));
    run(thread, lists.putBack(thread, 1, Verdict.YOUNG));
    const listed = [0, 1].map((page) => (frames.listOf(page) === 0 ? NaN : page));
    expect(listed).toEqual(expected);
    expect(run(thread, lists.isEmpty(thread, 0))).toBe(Number.isNaN(expected[0]));
    expect(frames.flags(1) & FrameFlag.TRACKED).toBe(Number.isNaN(expected[0]) ? 0 : FrameFlag.TRACKED);
  });
});
