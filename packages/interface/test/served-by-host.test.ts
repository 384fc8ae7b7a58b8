import { expect, it } from 'vitest';
import type { LeafResult, Routine, SgxHardware, Thread } from '../src/index.js';
import {
  ConflictExit,
  ENCLS_EXIT,
  EPT_EXIT,
  isExit,
  LeafFault,
  leafFailed,
  SgxCode,
  servedByHost,
} from '../src/index.js';

const thread = { name: 'vcpu' } as Thread;

it('an exit is no result: it is neither a failure nor success', () => {
  for (const exit of [ENCLS_EXIT, EPT_EXIT, ...Object.values(ConflictExit)]) {
    expect([isExit(exit), leafFailed(exit)]).toEqual([true, false]);
  }
  for (const result of [...Object.values(SgxCode), ...Object.values(LeafFault)])
    expect(isExit(result)).toBe(false);
});

it('a leaf is repeated after each exit, once the host has acted', () => {
  const results: LeafResult[] = [EPT_EXIT, ENCLS_EXIT, 0];
  let served = 0;
  const hardware: Pick<SgxHardware, 'serve'> = {
    *serve(): Routine<void> {
      yield 7;
      served++;
    },
  };
  const routine = (function* (): Routine<LeafResult> {
    let result: LeafResult;
    do result = results.shift() as LeafResult;
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    return result;
  })();
  expect([routine.next(), routine.next(), routine.next()]).toEqual([
    { done: false, value: 7 },
    { done: false, value: 7 },
    { done: true, value: 0 },
  ]);
  expect(served).toBe(2);
});

it('native hardware never exits', () => {
  expect(() => servedByHost({}, thread).next()).toThrow(/left a guest that is none/);
});
