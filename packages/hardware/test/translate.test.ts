import type { HardwareModel, PageMapping, TranslatedId } from '@epckit/hardware';
import { PageFaultCode, pageFaultCode, Translated } from '@epckit/hardware';
import type { AccessKind } from '@epckit/interface';
import { Access, LeafFault, SecInfo } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import { at, BASE, furnished, REG_RW } from './fixture.js';

const { READ, WRITE, EXECUTE } = Access;
const { R, W, X } = SecInfo;
const ALL = R | W | X;
const P = BASE + 2;
const OUTSIDE = BASE + 100;
const nameOf = (result: TranslatedId) =>
  Object.entries(Translated).find(([, value]) => value === result)?.[0];

interface Row {
  readonly what: string;
  readonly result: keyof typeof Translated;
  readonly linearPage?: number;
  readonly mapping?: PageMapping | null;
  readonly kind?: AccessKind;
  readonly isOutside?: boolean;
  readonly given?: (h: HardwareModel) => void;
}
const to = (page: number, rights: number = ALL): PageMapping => ({ page, rights });

const rows: Row[] = [
  { what: '1 not present', mapping: null, result: 'PAGE_FAULT' },
  { what: '1 page table denies a write', mapping: to(at.p, R), kind: WRITE, result: 'PAGE_FAULT' },
  {
    what: '1 before 5: the page table comes first',
    mapping: null,
    given: (h) => h.eblock(0, at.p),
    result: 'PAGE_FAULT',
  },
  { what: '2 outside an enclave, EPC', isOutside: true, mapping: to(at.p), result: 'ABORT_PAGE' },
  {
    what: '2 outside an enclave, EPC, a write',
    isOutside: true,
    mapping: to(at.p),
    kind: WRITE,
    result: 'ABORT_PAGE',
  },
  { what: '2 outside an enclave, ordinary memory', isOutside: true, mapping: to(-1), result: 'FILLED' },
  {
    what: '2 inside, address outside ELRANGE, EPC',
    linearPage: OUTSIDE,
    mapping: to(at.p),
    result: 'ABORT_PAGE',
  },
  { what: '2 inside, address outside ELRANGE', linearPage: OUTSIDE, mapping: to(-1), result: 'FILLED' },
  {
    what: '3 code outside ELRANGE',
    linearPage: OUTSIDE,
    mapping: to(-1),
    kind: EXECUTE,
    result: 'GENERAL_PROTECTION',
  },
  { what: '4 in ELRANGE, not EPC', mapping: to(-1), result: 'EPCM_FAULT' },
  { what: '5 free page', mapping: to(at.rest), result: 'EPCM_FAULT' },
  { what: '5 blocked', given: (h) => h.eblock(0, at.p), result: 'EPCM_FAULT' },
  { what: '5 another type', linearPage: BASE, mapping: to(at.tcs), result: 'EPCM_FAULT' },
  { what: '5 another enclave', mapping: to(at.pB), result: 'EPCM_FAULT' },
  { what: '5 another address', mapping: to(at.q), result: 'EPCM_FAULT' },
  { what: '5 EPCM denies', kind: EXECUTE, result: 'EPCM_FAULT' },
  {
    what: '5 PENDING',
    linearPage: BASE + 8,
    mapping: to(at.rest),
    given: (h) => h.eaug(0, at.rest, at.secs, BASE + 8, 0),
    result: 'EPCM_FAULT',
  },
  { what: '5 MODIFIED', given: (h) => h.emodt(0, at.p, 0x400), result: 'EPCM_FAULT' },
  { what: '6 read', result: 'FILLED' },
  { what: '6 write', kind: WRITE, result: 'FILLED' },
];

function inside(isOutside = false): HardwareModel {
  const hardware = furnished({ keepsTlbs: true });
  if (!isOutside) expect(hardware.eenter(1, at.tcs, BASE)).toBe(0);
  return hardware;
}

describe('an access without a translation', () => {
  test.each(rows)(
    '$what',
    ({ linearPage = P, mapping = to(at.p), kind = READ, isOutside, given, result }) => {
      const hardware = inside(isOutside);
      given?.(hardware);
      expect(nameOf(hardware.access(1, linearPage, mapping, kind))).toBe(result);
    },
  );

  it('without TLBs every access is judged anew', () => {
    const hardware = furnished();
    hardware.eenter(1, at.tcs, BASE);
    const read = () => nameOf(hardware.access(1, P, to(at.p), READ));
    expect([read(), read()]).toEqual(['FILLED', 'FILLED']);
    hardware.eblock(0, at.p);
    expect(read()).toBe('EPCM_FAULT');
    expect(hardware.staleTranslations).toEqual([]);
  });
});

describe('a translation', () => {
  it('is not checked again until the processor leaves', () => {
    const hardware = inside();
    const read = (mapping: PageMapping | null = to(at.p)) => nameOf(hardware.access(1, P, mapping, READ));
    expect(read()).toBe('FILLED');
    hardware.eblock(0, at.p);
    expect([read(), read(null)]).toEqual(['HIT', 'HIT']);
    hardware.eexit(1);
    hardware.eenter(1, at.tcs, BASE);
    expect(read()).toBe('EPCM_FAULT');
  });
  it('has the rights that page table and EPCM both give', () => {
    const hardware = inside();
    expect(nameOf(hardware.access(1, P, to(at.p, R), READ))).toBe('FILLED');
    expect(nameOf(hardware.access(1, P, to(at.p, R), WRITE))).toBe('PAGE_FAULT');
    expect(nameOf(hardware.access(1, P, to(at.p), WRITE))).toBe('FILLED');
    expect(nameOf(hardware.access(1, P, null, WRITE))).toBe('HIT');
    expect(nameOf(hardware.access(1, P, to(at.p), EXECUTE))).toBe('EPCM_FAULT');
  });
  it('belongs to one processor', () => {
    const hardware = inside();
    hardware.access(1, P, to(at.p), READ);
    hardware.eenter(2, at.tcs2, BASE + 1);
    hardware.eblock(0, at.p);
    expect(nameOf(hardware.access(2, P, to(at.p), READ))).toBe('EPCM_FAULT');
  });
  it('survives EMODPR with its old rights, which is why EACCEPT waits', () => {
    const hardware = inside();
    hardware.access(1, P, to(at.p), WRITE);
    hardware.emodpr(0, at.p, R);
    expect(nameOf(hardware.access(1, P, to(at.p), WRITE))).toBe('HIT');
    expect(hardware.eaccept(1, at.p, P, (REG_RW & ~W) | SecInfo.PR)).toBe(11);
  });
  it('is dropped by a loss of power', () => {
    const hardware = inside();
    hardware.access(1, P, to(at.p), READ);
    hardware.powerCycle();
    expect(nameOf(hardware.access(1, P, to(at.p), READ))).toBe('ABORT_PAGE');
  });
});

describe('broken memory', () => {
  it('shows at the access, and nobody enters that enclave again', () => {
    const hardware = inside();
    hardware.poison(at.p);
    expect(nameOf(hardware.access(1, P, to(at.p), READ))).toBe('MACHINE_CHECK');
    hardware.aex(1);
    expect(hardware.eresume(1, at.tcs, BASE)).toBe(LeafFault.GP);
    expect(hardware.eenter(1, at.tcs2, BASE + 1)).toBe(LeafFault.GP);
  });
  it('shows through a translation too', () => {
    const hardware = inside();
    hardware.access(1, P, to(at.p), READ);
    hardware.poison(at.p);
    expect(nameOf(hardware.access(1, P, to(at.p), READ))).toBe('MACHINE_CHECK');
  });
  it('does not show outside, where an abort page is read, nor where the EPCM refuses', () => {
    const hardware = inside(true);
    hardware.poison(at.p);
    expect(nameOf(hardware.access(1, P, to(at.p), READ))).toBe('ABORT_PAGE');
    hardware.eenter(1, at.tcs, BASE);
    hardware.eblock(0, at.p);
    expect(nameOf(hardware.access(1, P, to(at.p), READ))).toBe('EPCM_FAULT');
    expect(hardware.eenter(2, at.tcs2, BASE + 1)).toBe(0);
  });
  it('can be removed, and stays broken until the power is lost', () => {
    const hardware = inside(true);
    hardware.poison(at.p);
    expect(hardware.eremove(0, at.p)).toBe(0);
    expect(hardware.eaug(0, at.p, at.secs, P, 0)).toBe(0);
    hardware.eenter(1, at.tcs, BASE);
    expect(hardware.eaccept(1, at.p, P, REG_RW | SecInfo.PENDING)).toBe(0);
    expect(nameOf(hardware.access(1, P, to(at.p), READ))).toBe('MACHINE_CHECK');
  });
});

describe('the error code of #PF', () => {
  const { PRESENT, WRITE: W_BIT, USER, FETCH, SGX } = PageFaultCode;
  const codes: [TranslatedId, AccessKind, boolean, number][] = [
    [Translated.PAGE_FAULT, READ, false, USER],
    [Translated.PAGE_FAULT, WRITE, true, USER | W_BIT | PRESENT],
    [Translated.PAGE_FAULT, EXECUTE, false, USER | FETCH],
    [Translated.EPCM_FAULT, READ, true, USER | PRESENT | SGX],
    [Translated.EPCM_FAULT, WRITE, true, USER | PRESENT | W_BIT | SGX],
    [Translated.FILLED, READ, true, 0],
    [Translated.ABORT_PAGE, READ, true, 0],
  ];
  test.each(codes)('result %i of access %i, present %s: %i', (result, kind, isPresent, code) => {
    expect(pageFaultCode(result, kind, isPresent)).toBe(code);
  });
});
