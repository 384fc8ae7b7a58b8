import { evictionPolicyCases } from '@epckit/conformance';
import { createFrameTable } from '@epckit/frames';
import { createMachine } from '@epckit/machine';
import { describe, it } from 'vitest';
import { segmented } from '../examples/own-policy.js';

describe('the policy of the how-to conforms', () => {
  const cases = evictionPolicyCases((pageCount) => {
    const { objects } = createMachine({ cpus: [{ node: 0 }] });
    const frames = createFrameTable({ sections: [{ node: 0, pageCount }] }, { objects, monitor: null });
    return segmented()({ frames });
  });
  for (const { name, run } of cases) it(name, run);
});
