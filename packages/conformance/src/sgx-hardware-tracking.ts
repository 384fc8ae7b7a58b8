import assert from 'node:assert/strict';
import { SecInfo } from '@epckit/interface';
import type { Bench } from './sgx-hardware-subject.js';
import { at, BASE, expectResult, REG_R } from './sgx-hardware-subject.js';

const { secs, p, q, va, tcs, tcs2, free } = at;

type Event = (bench: Bench) => number;
const threads = [free, tcs, tcs2];
const L = (cpu: number): Record<'enters' | 'resumes' | 'exits' | 'AEX' | 'accepts' | 'restarts', Event> => {
  const thread = threads[cpu] as number;
  return {
    enters: ({ h }) => h.eenter(cpu, thread, BASE + thread),
    resumes: ({ h }) => h.eresume(cpu, thread, BASE + thread),
    exits: ({ h }) => h.eexit(cpu),
    AEX: ({ h }) => (h.aex(cpu) ? 0 : -1),
    accepts: ({ h }) => h.eaccept(cpu, p, BASE + p, REG_R | SecInfo.PR),
    restarts: ({ h }) => h.eexit(cpu) + h.eenter(cpu, thread, BASE + thread),
  };
};
const [L1, L2] = [L(1), L(2)];
const block =
  (page: number): Event =>
  ({ h }) =>
    h.eblock(0, page);
const track: Event = ({ h }) => h.etrack(0, secs);
const trackc: Event = ({ h }) => h.etrackc(0, q);
const ewb =
  (page: number): Event =>
  ({ h, newBlob }) =>
    h.ewb(0, page, va, page, newBlob());
const restrict: Event = ({ h }) => h.emodpr(0, p, REG_R);
const remove: Event = ({ h }) => h.eremove(0, p);

/** Events and their results. */
const traces: Readonly<Record<string, readonly (readonly [Event, number])[]>> = {
  'EWB needs an ETRACK after the EBLOCK even when nobody is inside': [
    [block(p), 0],
    [ewb(p), 11],
    [track, 0],
    [ewb(p), 0],
  ],
  'EWB waits for who was inside at the ETRACK': [
    [L1.enters, 0],
    [block(p), 0],
    [ewb(p), 11],
    [track, 0],
    [ewb(p), 11],
    [L1.AEX, 0],
    [ewb(p), 0],
  ],
  'coming back does not delay EWB': [
    [L1.enters, 0],
    [block(p), 0],
    [track, 0],
    [L1.AEX, 0],
    [L1.resumes, 0],
    [ewb(p), 0],
  ],
  'a cycle must end before the next begins': [
    [L1.enters, 0],
    [track, 0],
    [track, 17],
    [trackc, 17],
    [L1.exits, 0],
    [trackc, 0],
  ],
  'a page blocked after the ETRACK needs another': [
    [L1.enters, 0],
    [track, 0],
    [block(p), 0],
    [L1.exits, 0],
    [ewb(p), 11],
    [track, 0],
    [ewb(p), 0],
  ],
  'pages of different epochs wait for different processors': [
    [L1.enters, 0],
    [block(p), 0],
    [track, 0],
    [L2.enters, 0],
    [block(q), 0],
    [L1.exits, 0],
    [ewb(p), 0],
    [ewb(q), 11],
    [track, 0],
    [ewb(q), 11],
    [L2.exits, 0],
    [ewb(q), 0],
  ],
  'one ETRACK serves every page that was blocked before': [
    [block(p), 0],
    [block(q), 0],
    [trackc, 0],
    [ewb(p), 0],
    [ewb(q), 0],
  ],
  'blocking again does not renew the epoch': [
    [block(p), 0],
    [track, 0],
    [block(p), 3],
    [ewb(p), 0],
  ],
  'EACCEPT waits like EWB, also for the processor that runs it': [
    [L1.enters, 0],
    [restrict, 0],
    [L1.accepts, 11],
    [L1.restarts, 0],
    [L1.accepts, 11],
    [track, 0],
    [L1.accepts, 11],
    [L1.restarts, 0],
    [L1.accepts, 0],
  ],
  'EREMOVE waits for processors, not for epochs': [
    [block(p), 0],
    [track, 0],
    [L1.enters, 0],
    [remove, 14],
    [L1.exits, 0],
    [remove, 0],
  ],
};

/** Tracking: the traces, and what the counters show. */
export const tracking: Readonly<Record<string, (bench: Bench) => void>> = {
  ...Object.fromEntries(
    Object.entries(traces).map(([name, events]) => [
      name,
      (bench: Bench) => {
        for (const [number, [event, result]] of events.entries())
          expectResult(event(bench), result, `event ${number + 1}`);
      },
    ]),
  ),
  'ETRACK moves the processors inside to the older count, and only exits empty it': (bench) => {
    const { h, done } = bench;
    bench.enter(1);
    done(h.etrack(0, secs));
    bench.enter(2, tcs2);
    assert.deepEqual(h.tracking(secs), { epoch: 1, current: 1, previous: 1, children: 4 });
    h.aex(1);
    done(h.eresume(1, tcs, BASE + tcs));
    assert.deepEqual(h.tracking(secs), { epoch: 1, current: 2, previous: 0, children: 4 });
  },
};
