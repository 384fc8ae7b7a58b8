import { describe, expect, it } from 'vitest';
import type { Case, ExplorationResult } from '../../src/index.js';
import { explore, formatFinding } from '../../src/index.js';
import type { GuestDefect } from './guest-defects.js';
import { defects } from './guest-defects.js';

const timeout = { timeout: 120_000 };

function search({ preemptions, overlaps = false }: GuestDefect, subject: Case): ExplorationResult {
  return explore(subject, { strategy: 'dfs', preemptions, overlaps, maxSteps: 3000 });
}

/** Judged in the end only: by what the guest has seen. */
function unjudged(subject: Case): Case {
  return { ...subject, setup: (mark) => ({ ...subject.setup(mark), checkStep: () => {} }) };
}

describe('a wrong step of host reclaim is found by its schedule', () => {
  it.each(defects)('$id', timeout, (defect) => {
    const { finding } = search(defect, unjudged(defect.subject(defect.recipes)));
    expect(finding === null ? 'nothing' : formatFinding(finding)).toMatch(defect.finding);
  });
});

describe('a law of every step is broken before the guest sees anything', () => {
  it.each([
    ['V-28', 'OS-1 Page 0 of instance 1000 has VIRTCHILDCNT 0, not 1.'],
    ['V-30', 'OS-1 Page 0 of instance 1000 has VIRTCHILDCNT 0, not 1 to 2.'],
    ['V-31', 'OS-5 Page 1 of instance 1001 has state 3 and EPC page 4.'],
  ])('%s', timeout, (id, law) => {
    const defect = defects.find((it) => it.id === id) as GuestDefect;
    const { finding } = search(defect, defect.subject(defect.recipes));
    expect(finding && formatFinding(finding)).toContain(law);
  });
});

describe('the default is cleared by the same search', () => {
  it.each(defects)('$id', timeout, (defect) => {
    const { finding } = search(defect, defect.subject({}));
    expect(finding && formatFinding(finding)).toBe(null);
  });
});
