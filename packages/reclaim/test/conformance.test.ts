import { evictionPolicyCases } from '@epckit/conformance';
import { createFrameTable } from '@epckit/frames';
import { createMachine } from '@epckit/machine';
import { describe, it } from 'vitest';
import { secondChance } from '../src/index.js';

describe('conformance of second chance', () => {
  const cases = evictionPolicyCases((pageCount) => {
    const { objects } = createMachine({ cpus: [{ node: 0 }] });
    const frames = createFrameTable({ sections: [{ node: 0, pageCount }] }, { objects, monitor: null });
    return secondChance()({ frames });
  });
  for (const { name, run } of cases) it(name, run);
});
