import { pagePoolCases } from '@epckit/conformance';
import type { Thread } from '@epckit/interface';
import { describe, it } from 'vitest';
import { createFixture } from './fixture.js';

describe('conformance', () => {
  const cases = pagePoolCases((sections) => {
    const fixture = createFixture({ sections, cpus: [0, 1, 2] });
    fixture.run((thread) => fixture.pools.sanitize(thread));
    const { pools, frames, threads } = fixture;
    return { pool: pools, frames, createThread: (node) => threads[node] as Thread };
  });
  for (const { name, run } of cases) it(name, run);
});
