import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Epc, Preset, Script, ScriptStep } from '../src/index.js';
import { presets, replayScript } from '../src/index.js';
import { leaksOf, releaseEverything } from './leaks.js';

const folder = new URL('golden/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));

/** Leaks that Linux has, with what each costs and the shortest script that shows it. */
interface KnownLeak {
  /** Names in the reference and in the recordings. */
  readonly id: string;
  readonly why: string;
  readonly steps: readonly ScriptStep[];
  readonly leaks: readonly string[];
  /** What preset `epckit` leaves of it. */
  readonly leaksRepaired: readonly string[];
}

const boot = { op: 'boot' };
const build = [
  { op: 'create', encl: 'A', size_pages: 16 },
  { op: 'add', encl: 'A', page: 0, count: 2 },
  { op: 'init', encl: 'A' },
];
const whole = ['enclave: references 1', ...wholeEnclave(2)];

/** Pages of a live enclave in order of their allocation. */
function wholeEnclave(pageCount: number): string[] {
  const pages = Array.from({ length: pageCount }, () => 'page');
  return ['version array', 'SECS', ...pages].map((what) => `EPC page: ${what} of a live enclave`);
}

const knownLeaks: readonly KnownLeak[] = [
  {
    id: 'L-04, in the recordings 81',
    why: 'a failed EEXTEND leaves the child count one too high: the SECS is not freed at release',
    steps: [
      boot,
      { op: 'create', encl: 'A', size_pages: 16 },
      { op: 'inject', what: 'encls', leaf: 'EEXTEND', ret: '#PF', after: 3 },
      { op: 'add', encl: 'A', page: 0, measure: true },
    ],
    leaks: ['EPC page: SECS of nobody'],
    leaksRepaired: [],
  },
  {
    id: 'L-11',
    why: 'a notifier that cannot be registered costs a reference: the enclave never goes',
    steps: [boot, ...build, { op: 'inject', what: 'mmu_notifier' }, { op: 'map', encl: 'A' }],
    leaks: whole,
    leaksRepaired: [],
  },
  {
    id: 'L-11 in a fork, in the recordings 78',
    why: 'the child of a fork cannot be registered: the same reference is lost',
    steps: [
      boot,
      ...build,
      { op: 'map', encl: 'A' },
      { op: 'inject', what: 'mmu_notifier' },
      { op: 'fork', proc: 'A', child: 'P' },
    ],
    leaks: whole,
    leaksRepaired: [],
  },
  {
    id: 'in the recordings 42',
    why: 'a poisoned child that is not cleaned pins its SECS: EREMOVE finds a child for ever',
    steps: [
      { op: 'dirty', page: '0:4', kind: 'secs', secs: 'K' },
      { op: 'dirty', page: '0:5', kind: 'reg', secs: 'K', lin: 1 },
      { op: 'poison', page: '0:5' },
      boot,
    ],
    leaks: ['EPC page: not clean, SECS'],
    leaksRepaired: [],
  },
  {
    id: 'a page that EREMOVE refuses',
    why: 'it is lost with a warning, and its SECS, which has a child for the hardware',
    steps: [
      boot,
      ...build,
      { op: 'inject', what: 'encls', leaf: 'EREMOVE', ret: 14 },
      { op: 'release', encl: 'A' },
    ],
    leaks: ['EPC page: SECS of nobody', 'EPC page: page of nobody'],
    leaksRepaired: ['EPC page: SECS of nobody', 'EPC page: page of nobody'],
  },
  {
    id: 'L-03, in the recordings 84',
    why: 'a page that cannot be loaded keeps its slot as long as the enclave lives, and nothing after it',
    steps: [
      boot,
      { op: 'create', encl: 'A', size_pages: 128 },
      { op: 'add', encl: 'A', page: 0, count: 80 },
      { op: 'init', encl: 'A' },
      { op: 'map', encl: 'A' },
      { op: 'inject', what: 'encls', leaf: 'ELDU', ret: 9 },
      ['t', 'A', 0],
    ],
    leaks: [],
    leaksRepaired: [],
  },
];

/** Leaks that a recording leaves; scripts that are not named leave none. */
const leaksOfRecordings: Readonly<Record<string, readonly string[]>> = {};

/** Replays, releases, counts. @returns leaks; none for a machine without EPC */
function leaksAfter(script: Script, preset: Preset): readonly string[] {
  let stack: Epc | null = null;
  const afterStep = (epc: Epc): void => {
    stack = epc;
  };
  for (const { unsupported } of replayScript(script, { afterStep, preset })) {
    if (stack !== null) expect(unsupported).toBeUndefined();
  }
  if (stack === null) return [];
  releaseEverything(stack);
  return leaksOf(stack);
}

/** Compares what is left with what may be. @returns null, or a text that names every other leak */
function otherLeaks(found: readonly string[], known: readonly string[]): string | null {
  const rest = [...found];
  const missing = known.filter((leak) => {
    const at = rest.indexOf(leak);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  if (rest.length + missing.length === 0) return null;
  return [
    ...rest.map((leak) => `not known: ${leak}`),
    ...missing.map((leak) => `known, but not there: ${leak}`),
  ].join('\n');
}

describe('after everything was released, all pages are free', () => {
  it.each(names)('%s', { timeout: 60_000 }, (name) => {
    const script = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Script;
    expect(otherLeaks(leaksAfter(script, presets['linux-6']), leaksOfRecordings[name] ?? [])).toBeNull();
  });
});

describe('leaks of Linux', () => {
  const machine = {
    nodes: [{}],
    cpus: [{ node: 0 }],
    sections: [{ node: 0, pages: 64 }],
    resume: 'manual',
  } as const;

  it.each(knownLeaks)('$id: $why', ({ id, steps, leaks }) => {
    const script: Script = { format: 1, name: id, machine, steps };
    expect(otherLeaks(leaksAfter(script, presets['linux-6']), leaks)).toBeNull();
  });

  it.each(knownLeaks)('$id: with preset epckit', ({ id, steps, leaksRepaired }) => {
    const script: Script = { format: 1, name: id, machine, steps };
    expect(otherLeaks(leaksAfter(script, presets.epckit), leaksRepaired)).toBeNull();
  });

  it('that are not known are named', () => {
    const found = ['EPC page: page of nobody', 'EPC page: SECS of nobody'];
    expect(otherLeaks(found, ['EPC page: SECS of nobody', 'enclave: references 1'])).toBe(
      'not known: EPC page: page of nobody\nknown, but not there: enclave: references 1',
    );
  });
});
