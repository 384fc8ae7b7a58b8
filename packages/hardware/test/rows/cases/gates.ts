import { Leaf } from '@epckit/interface';
import type { Act, RowCase, RowSuite } from '../suite.js';
import { abort, done, exit, gp, nm, ud } from '../suite.js';
import type { World } from '../world.js';
import { AEP, at, encls, enclu, enclv, enter, epc, lin, off, setEnclaveSecInfo } from '../world.js';

const lp = (w: World) => w.processor.logical(0);
const set =
  (state: Partial<ReturnType<typeof lp>>): Act =>
  (w) =>
    Object.assign(lp(w), state);
const leaf =
  (number: bigint): Act =>
  (w) => {
    w.registers.rax = number;
  };
const guest = (state: Partial<ReturnType<typeof lp>>) => set({ vmx: 'non-root', ...state });
const machineCheck: Act = (w) => w.processor.machineCheck();

const impossible = (row: number): RowCase[] => [
  { row, what: 'CR0.PE is 0', defect: set({ isProtected: false }), outcome: ud },
  { row, what: 'virtual-8086 mode', defect: set({ isVirtual8086: true }), outcome: ud },
  { row, what: 'system management mode', defect: set({ isInSmm: true }), outcome: ud },
  { row, what: 'a machine check has disabled SGX', defect: machineCheck, outcome: ud },
];
const off64 = (row: number): RowCase[] => [
  { row, what: 'IA32_FEATURE_CONTROL is not locked', defect: set({ isFeatureLocked: false }), outcome: gp },
  { row, what: 'SGX is not enabled', defect: set({ isSgxEnabled: false }), outcome: gp },
];
const transaction: RowCase = {
  row: 1,
  what: 'in a transaction',
  defect: set({ isInTransaction: true }),
  outcome: abort,
};
const noPaging = (row: number): RowCase => ({
  row,
  what: 'CR0.PG is 0',
  defect: set({ isPaged: false }),
  outcome: gp,
});

/** Checks before every ENCLS leaf, seen through EBLOCK. */
export const enclsSuite: RowSuite = {
  table: '4.1 ENCLS',
  call: (w) => encls(w, Leaf.EBLOCK, { rcx: epc(w, at.p) }),
  cases: [
    transaction,
    ...impossible(2),
    { row: 3, what: 'CPL 3', defect: set({ cpl: 3 }), outcome: ud },
    { row: 3, what: 'CPL 1', defect: set({ cpl: 1 }), outcome: ud },
    {
      row: 4,
      what: 'EBLOCK is intercepted',
      given: guest({}),
      defect: set({ enclsExiting: 1n << 9n }),
      cure: set({ enclsExiting: ~(1n << 9n) }),
      outcome: exit(60),
    },
    ...off64(5),
    { row: 6, what: 'leaf 0x14', defect: leaf(0x14n), outcome: gp },
    { row: 6, what: 'leaf 0x17', defect: leaf(0x17n), outcome: gp },
    { row: 6, what: 'leaf 2^32 - 1', defect: leaf(0xffff_ffffn), outcome: gp },
    {
      row: 6,
      what: 'EMODPR without SGX2',
      also: leaf(0x0en),
      defectFeatures: { sgx2: false },
      given: (w) => {
        w.registers.rbx = 0x1_0040n;
      },
      outcome: gp,
    },
    {
      row: 6,
      what: 'ETRACKC without ENCLS_C',
      also: leaf(0x11n),
      defectFeatures: { enclsC: false },
      outcome: gp,
    },
    {
      row: 6,
      what: 'EUPDATESVN without its bit',
      also: leaf(0x18n),
      given: (w) => w.hardware.powerCycle(),
      defectFeatures: { eupdatesvn: false },
      outcome: gp,
      without: done,
    },
    noPaging(7),
  ],
};

/** Checks before every ENCLV leaf, seen through EINCVIRTCHILD. */
export const enclvSuite: RowSuite = {
  table: '4.1 ENCLV',
  call: (w) => enclv(w, Leaf.EINCVIRTCHILD, { rbx: epc(w, at.p), rcx: epc(w, at.secs) }),
  cases: [
    transaction,
    ...impossible(2),
    { row: 2, what: 'the processor has no ENCLV', defectFeatures: { enclv: false }, outcome: ud },
    { row: 3, what: 'not in VMX operation', defect: set({ vmx: 'off' }), outcome: ud },
    { row: 3, what: 'compatibility mode', defect: set({ isCompatibility: true }), outcome: ud },
    { row: 4, what: 'CPL 3', defect: set({ cpl: 3 }), outcome: ud },
    {
      row: 5,
      what: 'ENCLV exiting is 0 in a guest',
      given: guest({ enclvExiting: 0n }),
      defect: set({ enclvExiting: null }),
      outcome: ud,
    },
    {
      row: 5,
      what: 'EINCVIRTCHILD is intercepted',
      given: guest({ enclvExiting: 0n }),
      defect: set({ enclvExiting: 2n }),
      outcome: exit(70),
    },
    ...off64(6),
    { row: 7, what: 'leaf 3', defect: leaf(3n), outcome: gp },
    noPaging(8),
  ],
};

/** Checks before every ENCLU leaf, seen through EENTER, and EACCEPT for the last row. */
export const encluSuite: RowSuite = {
  table: '4.1 ENCLU',
  success: done,
  call: (w) => {
    if (w.instruction !== 'enclu') enclu(w, Leaf.EENTER, { rbx: lin(off.tcs), rcx: AEP });
  },
  cases: [
    transaction,
    ...impossible(2),
    { row: 3, what: 'CR0.TS is 1', defect: set({ isTaskSwitched: true }), outcome: nm },
    { row: 4, what: 'CPL 0', defect: set({ cpl: 0 }), outcome: ud },
    { row: 4, what: 'CPL 2', defect: set({ cpl: 2 }), outcome: ud },
    ...off64(5),
    { row: 6, what: 'leaf 10', defect: leaf(10n), outcome: gp },
    { row: 6, what: 'EVERIFYREPORT2 (not modelled)', defect: leaf(8n), outcome: gp },
    {
      row: 6,
      what: 'EDECCSSA without AEX-Notify',
      given: enterTwice,
      also: leaf(9n),
      defectFeatures: { aexNotify: false },
      outcome: gp,
    },
    noPaging(7),
    { row: 7, what: 'CR0.NE is 0', defect: set({ reportsNumericErrors: false }), outcome: gp },
    { row: 8, what: 'EENTER in an enclave', defect: (w) => enter(w, lin(off.tcs2)), outcome: gp },
    {
      row: 8,
      what: 'ERESUME in an enclave',
      given: thrownOut,
      also: leaf(3n),
      defect: (w) => enter(w, lin(off.tcs2)),
      outcome: gp,
    },
    ...[4n, 5n, 6n, 7n, 9n].map(
      (number): RowCase => ({
        row: 8,
        what: `leaf ${number} outside`,
        given: acceptCall,
        also: (w) => {
          w.registers.rax = number;
          if (number !== 5n) prepareInside(w, number);
        },
        defect: (w) => w.hardware.eexit(0),
        outcome: gp,
      }),
    ),
    { row: 8, what: 'EREPORT outside', defect: leaf(0n), outcome: gp },
    { row: 8, what: 'EGETKEY outside', defect: leaf(1n), outcome: gp },
  ],
};

function thrownOut(w: World): void {
  enter(w);
  w.processor.interrupt(0, structuredClone(w.registers));
}
function enterTwice(w: World): void {
  thrownOut(w);
  enter(w);
}
/** EACCEPT of the pending page, inside. */
function acceptCall(w: World): void {
  enterTwice(w);
  setEnclaveSecInfo(w, 0x20b);
  enclu(w, Leaf.EACCEPT, { rbx: lin(off.info), rcx: lin(off.pending), rdx: lin(off.q) });
}
/** Operands with which the other leaves succeed. */
function prepareInside(w: World, number: bigint): void {
  setEnclaveSecInfo(w, 0x203);
  if (number === 6n) w.registers.rcx = lin(off.p);
  if (number === 4n) w.registers.rbx = 0x5000n;
}
