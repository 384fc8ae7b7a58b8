import type { Thread } from '@epckit/interface';

let threads = 0;

/** A thread that spends nothing and never has to stop. */
export function plainThread(name = 'thread', node = 0): Thread {
  return {
    id: ++threads,
    name,
    cpu: node,
    node,
    mm: -1,
    clock: 0,
    limit: 1,
    signalPending: false,
    signalReading: 0,
    changeWaiting: 0,
    spend: () => 0,
    spendCycles: () => 0,
    turn: () => false,
  };
}

let objects = 0;

/** A further object number. */
export function nextObject(): number {
  return ++objects;
}
