import type { HardwareModel } from '@epckit/hardware';
import { TagContents } from '@epckit/hardware';
import type { RdInfo } from '@epckit/interface';
import { ConflictExit, LeafFault, PageOperand, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it, test, vi } from 'vitest';
import type { OutcomeRow } from './fixture.js';
import { at, BASE, empty, evict, expectRefusal, furnished, newBlob, noSecs, REG_RW } from './fixture.js';

const { GP, PF } = LeafFault;
const info: RdInfo = { status: 0, flags: 0, blocked: false, context: 0 };

const virtualChild = (name: 'eincvirtchild' | 'edecvirtchild'): OutcomeRow[] => [
  { row: '1 page not aligned', when: (h) => h[name](0, PageOperand.MISALIGNED, at.secs), result: GP },
  { row: '2 page not EPC', when: (h) => h[name](0, -1, -1), result: PF },
  { row: '3 SECS not EPC', when: (h) => h[name](0, at.rest, -1), result: PF },
  { row: '5 free page', when: (h) => h[name](0, at.rest, at.secs), result: PF },
  { row: '5 VA page', when: (h) => h[name](0, at.va, at.secs), result: PF },
  { row: '6 another enclave', when: (h) => h[name](0, at.p, at.secsB), result: GP },
  { row: '6 SECS operand is no SECS', when: (h) => h[name](0, at.p, at.q), result: GP },
  { row: '6 SECS operand not aligned', when: (h) => h[name](0, at.p, PageOperand.MISALIGNED), result: GP },
];
const eincvirtchild = virtualChild('eincvirtchild');
const edecvirtchild: OutcomeRow[] = [
  ...virtualChild('edecvirtchild'),
  { row: '7 count is 0', when: (h) => h.edecvirtchild(0, at.p, at.secs), result: SgxCode.INVALID_COUNTER },
];
const esetcontext: OutcomeRow[] = [
  { row: '1 not aligned', when: (h) => h.esetcontext(0, PageOperand.MISALIGNED, 1), result: GP },
  { row: '2 not EPC', when: (h) => h.esetcontext(0, -1, 1), result: PF },
  { row: '5 free page', when: (h) => h.esetcontext(0, at.rest, 1), result: PF },
  { row: '5 another type', when: (h) => h.esetcontext(0, at.p, 1), result: PF },
];
const erdinfo: OutcomeRow[] = [
  { row: '1 not aligned', when: (h) => h.erdinfo(0, PageOperand.MISALIGNED, info), result: GP },
  { row: '2 not EPC', when: (h) => h.erdinfo(0, -1, info), result: SgxCode.PG_NONEPC },
  { row: '4 free page', when: (h) => h.erdinfo(0, at.rest, info), result: SgxCode.PG_INVLD },
];
const etrackc: OutcomeRow[] = [
  { row: '2 not EPC', when: (h) => h.etrackc(0, -1), result: PF },
  { row: '4 free page', when: (h) => h.etrackc(0, at.rest), result: SgxCode.PG_INVLD },
  { row: '5 VA page', when: (h) => h.etrackc(0, at.va), result: SgxCode.TRACK_NOT_REQUIRED },
  {
    row: '7 cycle incomplete',
    given: (h) => {
      h.eenter(1, at.tcs, BASE);
      h.etrack(0, at.secs);
    },
    when: (h) => h.etrackc(0, at.p),
    result: SgxCode.PREV_TRK_INCMPL,
  },
];
const eupdatesvn: OutcomeRow[] = [
  { row: '2 EPC in use', when: (h) => h.eupdatesvn(0), result: SgxCode.EPC_NOT_READY },
];

describe.each(Object.entries({ eincvirtchild, edecvirtchild, esetcontext, erdinfo, etrackc, eupdatesvn }))(
  '%s refuses',
  (_leaf, rows) => {
    test.each(rows)('$row', expectRefusal);
  },
);

const inGuest = (h: HardwareModel, cpu = 0) => h.setExtended(cpu, true);

describe('virtual children', () => {
  const count = (h: HardwareModel) => h.virtualChildren(at.secs);
  it('are counted through a child or through the SECS itself', () => {
    const h = furnished();
    expect([h.eincvirtchild(0, at.p, at.secs), h.eincvirtchild(0, at.secs, at.secs)]).toEqual([0, 0]);
    expect(count(h)).toBe(2);
    expect([h.edecvirtchild(0, at.secs, at.secs), count(h)]).toEqual([0, 1]);
  });
  function childless(): HardwareModel {
    const h = furnished();
    h.eincvirtchild(0, at.secs, at.secs);
    for (const page of [at.tcs, at.tcs2, at.p, at.q]) h.eremove(0, page);
    return h;
  }
  it('keep a SECS from EREMOVE and EWB in a guest with extensions', () => {
    const h = childless();
    inGuest(h);
    expect(h.eremove(0, at.secs)).toBe(SgxCode.CHILD_PRESENT);
    expect(h.ewb(0, at.secs, at.va, 0, newBlob())).toBe(SgxCode.CHILD_PRESENT);
    h.edecvirtchild(1, at.secs, at.secs);
    expect(h.eremove(0, at.secs)).toBe(0);
  });
  it('do not matter to the host', () => {
    expect(childless().eremove(0, at.secs)).toBe(0);
    const h = childless();
    inGuest(h);
    expect(h.ewb(1, at.secs, at.va, 0, newBlob())).toBe(0);
  });
  it('travel with an evicted SECS; ENCLAVECONTEXT becomes the new address', () => {
    const h = childless();
    const blob = newBlob();
    h.esetcontext(0, at.secs, 4711);
    h.ewb(0, at.secs, at.va, 0, blob);
    expect(h.eldu(0, at.rest, noSecs, at.va, 0, blob)).toBe(0);
    expect(h.virtualChildren(at.rest)).toBe(1);
    h.erdinfo(0, at.rest, info);
    expect(info.context).toBe(at.rest * 4096);
  });
});

describe('ERDINFO', () => {
  const ask = (h: HardwareModel, page: number, cpu = 0): RdInfo => {
    const answer = { status: 9, flags: 9, blocked: false, context: 9 };
    expect(h.erdinfo(cpu, page, answer)).toBe(0);
    return answer;
  };
  it('tells flags, type, BLOCKED and the context of the owner', () => {
    const h = furnished();
    h.emodpr(0, at.p, SecInfo.R);
    h.eblock(0, at.p);
    h.esetcontext(0, at.secs, 77);
    expect(ask(h, at.p)).toEqual({
      status: 0,
      flags: (REG_RW & ~SecInfo.W) | SecInfo.PR,
      blocked: true,
      context: 77,
    });
    expect(ask(h, at.va)).toEqual({ status: 0, flags: PageType.VA << 8, blocked: false, context: 0 });
  });
  it('tells a host both kinds of children, and a guest only that there are some', () => {
    const h = furnished();
    expect(ask(h, at.secs)).toEqual({ status: 1, flags: 0, blocked: false, context: at.secs * 4096 });
    h.eincvirtchild(0, at.p, at.secs);
    expect(ask(h, at.secs).status).toBe(3);
    inGuest(h, 1);
    expect(ask(h, at.secs, 1)).toEqual({ status: 1, flags: 0, blocked: false, context: 0 });
    h.eremove(0, at.pB);
    expect(ask(h, at.secsB, 1).status).toBe(0);
    h.eincvirtchild(0, at.secsB, at.secsB);
    expect([ask(h, at.secsB, 1).status, ask(h, at.secsB).status]).toEqual([1, 2]);
  });
  it('writes nothing when it refuses', () => {
    const h = furnished();
    const answer = { status: 9, flags: 9, blocked: true, context: 9 };
    h.erdinfo(0, at.rest, answer);
    h.erdinfo(0, -1, answer);
    expect(answer).toEqual({ status: 9, flags: 9, blocked: true, context: 9 });
  });
});

describe('a guest with extensions', () => {
  it('leaves when a tracking cycle is incomplete', () => {
    const h = furnished();
    h.eenter(1, at.tcs, BASE);
    h.etrack(0, at.secs);
    inGuest(h);
    expect([h.etrack(0, at.secs), h.etrackc(0, at.p)]).toEqual([
      ConflictExit.TRACKING_REFERENCE,
      ConflictExit.TRACKING_REFERENCE,
    ]);
    expect(h.tracking(at.secs).epoch).toBe(1);
  });
});

it('ETRACKC begins a cycle through any page of the enclave', () => {
  const h = furnished();
  for (const [index, page] of [at.p, at.tcs, at.secs].entries()) {
    expect(h.etrackc(0, page)).toBe(0);
    expect(h.tracking(at.secs).epoch).toBe(index + 1);
  }
});

describe('EUPDATESVN', () => {
  it('without entropy: 29, to be repeated', () => {
    const h = empty();
    h.platform.microcodeSvn = 1;
    h.platform.entropyFailures = 2;
    const results = [h.eupdatesvn(0), h.eupdatesvn(0), h.eupdatesvn(0), h.eupdatesvn(0)];
    expect(results).toEqual([29, 29, 0, SgxCode.NO_UPDATE]);
    expect(h.platform.cpuSvn).toBe(1);
  });
  it('in use comes before entropy', () => {
    const h = furnished();
    h.platform.entropyFailures = 1;
    expect([h.eupdatesvn(0), h.platform.entropyFailures]).toEqual([SgxCode.EPC_NOT_READY, 1]);
  });
  it('makes a new paging key, also when there is no update, and none when it refuses', () => {
    const contents = new TagContents();
    const renewKey = vi.spyOn(contents, 'renewKey');
    const h = empty({}, { contents });
    h.platform.entropyFailures = 1;
    expect([h.eupdatesvn(0), renewKey.mock.calls.length]).toEqual([SgxCode.INSUFFICIENT_ENTROPY, 0]);
    expect([h.eupdatesvn(0), renewKey.mock.calls.length]).toEqual([SgxCode.NO_UPDATE, 1]);
    h.epa(0, at.va);
    expect([h.eupdatesvn(0), renewKey.mock.calls.length]).toEqual([SgxCode.EPC_NOT_READY, 1]);
  });
});

it('none of them exists without its feature', () => {
  const h = empty({ features: { enclv: false, enclsC: false, eupdatesvn: false } });
  const blob = newBlob();
  const results = [
    h.eincvirtchild(0, 0, 0),
    h.edecvirtchild(0, 0, 0),
    h.esetcontext(0, 0, 0),
    h.erdinfo(0, 0, info),
    h.etrackc(0, 0),
    h.eldbc(0, 0, 0, 0, 0, blob),
    h.elduc(0, 0, 0, 0, 0, blob),
    h.eupdatesvn(0),
  ];
  expect(results).toEqual(results.map(() => GP));
});

describe('ELDBC and ELDUC', () => {
  it('load as ELDB and ELDU do', () => {
    const h = furnished();
    const first = evict(h, at.p, 0);
    expect(h.eldbc(0, at.p, at.secs, at.va, 0, first)).toBe(0);
    expect(h.entry(at.p).blocked).toBe(true);
    const second = evict(h, at.q, 1);
    expect(h.elduc(0, at.q, at.secs, at.va, 1, second)).toBe(0);
    expect(h.entry(at.q).blocked).toBe(false);
  });
});
