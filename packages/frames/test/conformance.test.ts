import { frameTableCases } from '@epckit/conformance';
import { describe, it } from 'vitest';
import { createFrameTable } from '../src/index.js';
import { createObjectCounter } from './object-counter.js';

describe('conformance', () => {
  const cases = frameTableCases((sections) =>
    createFrameTable({ sections }, { objects: createObjectCounter(), monitor: null }),
  );
  for (const { name, run } of cases) it(name, run);
});
