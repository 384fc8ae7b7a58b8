import { evictionPolicyCases, reclaimListsCases } from '@epckit/conformance';
import { createFrameTable } from '@epckit/frames';
import { createMachine } from '@epckit/machine';
import { describe, it } from 'vitest';
import { createNodeReclaimLists, createReclaimLists, secondChance } from '../src/index.js';
import { PoisonAwareLists } from '../src/recipes.js';

describe('conformance of second chance', () => {
  const cases = evictionPolicyCases((pageCount) => {
    const { objects } = createMachine({ cpus: [{ node: 0 }] });
    const frames = createFrameTable({ sections: [{ node: 0, pageCount }] }, { objects, monitor: null });
    return secondChance()({ frames });
  });
  for (const { name, run } of cases) it(name, run);
});

describe.each(['global', 'poison-aware', 'per node'])('conformance of %s lists', (kind) => {
  const cases = reclaimListsCases((owners) => {
    const machine = createMachine({ cpus: [{ node: 0 }] });
    const sections = [{ node: 0, pageCount: 16 }];
    const frames = createFrameTable({ sections }, { objects: machine.objects, monitor: null });
    const parts = { frames, locks: machine, owners, policy: secondChance()({ frames }), probe: null };
    const thread = machine.createThread({ name: 'task', cpu: 0 });
    if (kind === 'per node') {
      const lists = createNodeReclaimLists({ ...parts, createPolicy: secondChance() });
      return { lists, frames, thread, groups: null };
    }
    const lists = kind === 'global' ? createReclaimLists(parts) : new PoisonAwareLists(parts);
    return { lists, frames, thread, groups: null };
  });
  for (const { name, run } of cases) it(name, run);
});
