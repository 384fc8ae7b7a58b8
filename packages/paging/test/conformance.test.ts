import { backingStoreCases, versionSlotsCases } from '@epckit/conformance';
import { describe, it } from 'vitest';
import { createBackingStore, createVersionSlots } from '../src/index.js';
import { soleThread } from './drive.js';

describe('conformance', () => {
  const stores = backingStoreCases((pageCount) => ({
    store: createBackingStore({ pageCount }, { probe: null, owner: 1 }),
    thread: soleThread(),
  }));
  for (const { name, run } of [...versionSlotsCases(createVersionSlots), ...stores]) it(name, run);
});
