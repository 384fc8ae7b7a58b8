/** One row of a table "checks in order". */
export interface TableRow {
  /** Table and number, such as `EWB 13`. */
  readonly id: string;
  /** What decides there, in our words. */
  readonly text: string;
}

/** All tables of 4.1 and 5 of the hardware reference: one line per row, number first. */
const TABLES: Readonly<Record<string, string>> = {
  '4.1 ENCLS': `
    1 transaction is aborted
    2 not in protected mode, VM86, SMM, or no SGX1: UD
    3 CPL above 0: UD
    4 intercepted in a guest: exit 60
    5 feature control not locked or SGX not enabled: GP
    6 leaf that the processor has not: GP
    7 no paging: GP
    8 expand-down data segment outside 64-bit mode: GP`,
  '4.1 ENCLV': `
    1 transaction is aborted
    2 not in protected mode, VM86, SMM, or no ENCLV: UD
    3 outside VMX operation, or compatibility mode: UD
    4 CPL above 0: UD
    5 guest without the control: UD; intercepted: exit 70
    6 feature control not locked or SGX not enabled: GP
    7 unknown leaf: GP
    8 no paging: GP`,
  '4.1 ENCLU': `
    1 transaction is aborted
    2 not in protected mode, VM86, SMM, or no SGX1: UD
    3 CR0.TS: NM
    4 CPL below 3: UD
    5 feature control not locked or SGX not enabled: GP
    6 leaf that the processor has not: GP
    7 no paging, or CR0.NE is 0: GP
    8 entry inside, or another leaf outside an enclave: GP`,
  ECREATE: `
    1 PAGEINFO alignment
    2 target alignment
    3 target outside the EPC
    4 alignment of SRCPGE and SECINFO
    5 LINADDR and SECS must be 0
    6 SECINFO reserved, or not of type SECS
    7 target in use
    8 target valid
    9 XFRM without x87 and SSE
    10 XFRM that cannot be loaded
    11 CET fields
    12 MISCSELECT
    13 SSA frame too small
    14 BASEADDR for the mode
    15 SIZE at or above the limit
    16 SIZE not a power of two, or one page
    17 BASEADDR not a multiple of SIZE
    18 attributes that are not allowed
    19 reserved bytes of the SECS
    20 CONFIGID, CONFIGSVN without KSS`,
  EADD: `
    1 PAGEINFO alignment
    2 target alignment
    3 target outside the EPC
    4 alignment of SRCPGE, SECS, LINADDR, SECINFO
    5 SECS outside the EPC
    6 SECINFO reserved, or a type that cannot be added
    7 shadow stack while CR4.CET is 0
    8 target in use
    9 target valid
    10 SECS in use
    11 SECS not a valid SECS
    12a TCS contents
    12b REG with W and without R
    12c shadow stack place, contents, rights
    13 LINADDR outside ELRANGE
    14 measurement in use
    15 enclave initialised`,
  EEXTEND: `
    1 SECS alignment
    2 SECS outside the EPC
    3 chunk alignment
    4 chunk outside the EPC
    5 page in use
    6 page free
    7 page type
    8 another enclave's SECS
    9 measurement in use, or enclave initialised`,
  EREMOVE: `
    1 alignment
    2 outside the EPC
    3 page in use
    4 free page: success
    5 VA page: success
    6 accepted TRIM page: success, even with threads inside
    7 SECS with children: 13
    8 SECS with virtual children in a guest: 13
    9 other SECS: success
    10 processor inside: 14
    11 other child: success`,
  EINIT: `
    1 alignment of SIGSTRUCT and SECS
    2 token alignment
    3 SECS outside the EPC
    4 SIGSTRUCT malformed: 1
    5 pending event: 128
    6 signature: 8
    7 SECS in use
    8 no valid SECS
    9 ISVFAMILYID without KSS: 1
    10 measurement in use, or initialised already
    11 measurement differs: 4
    12 launch enclave of another signer: 2
    13 attributes differ: 2
    14 MISCSELECT differs: 2
    15 CET_ATTRIBUTES differ: 2
    16 no token and another signer: 16
    17 token malformed or of a debug launch enclave: 16
    18 token CPUSVN: 32
    19 token MAC: 16
    20 token MRENCLAVE or MRSIGNER: 4
    21 token ATTRIBUTES: 2`,
  EPA: `
    1 RBX not PT_VA, or target alignment
    2 target outside the EPC
    3 target in use
    4 target valid`,
  EBLOCK: `
    1 alignment
    2 outside the EPC
    3 page in use: 7
    4 free page: 6
    5 SECS: 18
    6 VA: 5
    7 tracking in progress: 15
    8 blocked already: 3
    9 success`,
  ETRACK: `
    1 alignment
    2 outside the EPC
    3 SECS or tracking in use
    4 free page
    5 no SECS
    6 cycle before incomplete: 17
    7 success`,
  ETRACKC: `
    1 alignment
    2 outside the EPC
    3 page in use: 7
    4 free page: 6
    5 VA page: 27
    6 tracking in use: 7
    7 cycle before incomplete: 17
    8 success`,
  EWB: `
    1 alignment of PAGEINFO and source
    2 source outside the EPC
    3 slot alignment
    4 slot outside the EPC
    5 slot in the source page
    6 LINADDR and SECS must be 0
    7 alignment of PCMD and SRCPGE
    8 source in use
    9 VA page in use
    10 source free
    11 slot not in a VA page
    12 tracking in use
    13 not blocked: 10
    14 not tracked: 11
    15 SECS with children: 13
    16 SECS with virtual children in a guest: 13`,
  EAUG: `
    1 PAGEINFO alignment
    2 target alignment
    3 target outside the EPC
    4 SECINFO alignment
    5 alignment of SECS and LINADDR
    6 SRCPGE must be 0
    7 SECS outside the EPC
    8 target in use
    9 target valid
    10 SECINFO not of a shadow stack
    11 shadow stack while CR4.CET is 0
    12 SECS in use
    13 SECS not a valid SECS
    14 enclave not initialised
    15 LINADDR outside ELRANGE
    16 shadow stack at an end of ELRANGE`,
  EMODPR: `
    1 SECINFO alignment
    2 page alignment
    3 page outside the EPC
    4 SECINFO reserved, or W without R
    5 page in use
    6 page free
    7 another change of the page: 7
    8 PENDING or MODIFIED: 20
    9 page type
    10 enclave not initialised`,
  EMODT: `
    1 SECINFO alignment
    2 page alignment
    3 page outside the EPC
    4 SECINFO reserved, or neither TCS nor TRIM
    5 page in use: 7
    6 page free
    7 another change of the page: 7
    8 type that cannot become the other
    9 PENDING or MODIFIED: 20
    10 enclave not initialised`,
  EDBGRD: `
    1 alignment
    2 outside the EPC
    3 page in use
    4 page free
    5 page type
    6 PENDING or MODIFIED: 21
    7 part of the TCS
    8 enclave not for debugging
    9 success`,
  EDBGWR: `
    1 alignment
    2 outside the EPC
    3 page in use
    4 page free
    5 page type
    6 PENDING or MODIFIED: 21
    7 part of the TCS
    8 enclave not for debugging
    9 success`,
  ERDINFO: `
    1 alignment of RDINFO and page
    2 outside the EPC: 26
    3 page in use: 7
    4 page free: 6
    5 success`,
  EUPDATESVN: `
    1 another leaf in progress: 7
    2 EPC in use: 30
    3 no entropy: 29
    4 nothing newer: 31
    5 success`,
  EINCVIRTCHILD: virtualChild(''),
  EDECVIRTCHILD: virtualChild('7 count is 0: 25'),
  ESETCONTEXT: `
    1 SECS alignment
    2 SECS outside the EPC
    3 value alignment
    4 SECS in use: 7
    5 no valid SECS
    6 success`,
  EENTER: entry('11 all frames in use'),
  ERESUME: entry('11 no frame filled'),
  EEXIT: `
    1 target not canonical`,
  EACCEPT: `
    1 SECINFO alignment or outside ELRANGE
    2 SECINFO outside the EPC
    3 SECINFO page
    4 SECINFO reserved
    5 page alignment or outside ELRANGE
    6 page outside the EPC
    7 combination that cannot be accepted
    8 page free, blocked, no child, or of another enclave
    9 page in use
    10 page differs from the request: 19
    11 not tracked: 11
    12 TCS contents`,
  EACCEPTCOPY: `
    1 alignment, or outside ELRANGE
    2 outside the EPC
    3 SECINFO page
    4 SECINFO reserved, W without R, or not REG
    5 source page
    6 target page: 19
    7 another change of the target
    8 target after the lock: 19`,
  EMODPE: `
    1 alignment, or outside ELRANGE
    2 outside the EPC
    3 SECINFO page
    4 SECINFO reserved
    5 page
    6 another change of the page
    7 page of another address
    8 W without R`,
  EDECCSSA: `
    1 CSSA is 0
    2 page of the frame before`,
  ELDB: load(),
  ELDU: load(),
  ELDBC: load(),
  ELDUC: load(),
};

function virtualChild(countRow: string): string {
  return `
    1 page alignment
    2 page outside the EPC
    3 SECS outside the EPC
    4 page in use: 7
    5 page free or VA
    6 not the SECS of the page
    ${countRow}
    8 success`;
}

function entry(frameRow: string): string {
  return `
    1 TCS alignment
    2 TCS outside the EPC
    3 AEP not canonical
    4 TCS in use, or a removal in the enclave
    5 TCS page
    6 offsets not page-aligned
    7 reserved TCS flags
    8 enclave not initialised
    9 processor mode, CR4.OSFXSR, XFRM
    10 AEX-Notify
    ${frameRow}
    12 pages of the frame
    13 addresses not canonical
    14 TCS active
    15 CET`;
}

function load(): string {
  return `
    1 alignment of PAGEINFO and target
    2 target outside the EPC
    3 slot alignment
    4 slot outside the EPC
    5 alignment of PCMD and SRCPGE
    6 target in use
    7 VA page in use
    8 target valid
    9 slot not in a VA page
    10 child: SECS alignment
    11 child: SECS outside the EPC
    12 child: SECS in use
    13 child: no valid SECS
    14 no child: SECS must be 0
    15 MAC: 9`;
}

function rowsOf(table: string, text: string): TableRow[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const [number = '', ...words] = line.split(' ');
      return { id: `${table} ${number}`, text: words.join(' ') };
    });
}

/** Every row, table by table. */
export const ROWS: readonly TableRow[] = Object.entries(TABLES).flatMap(([table, text]) =>
  rowsOf(table, text),
);

/** Rows that no instruction of the model can reach, and why. */
export const UNREACHABLE: Readonly<Record<string, string>> = {
  '4.1 ENCLS 8': 'outside 64-bit mode only; the model is 64-bit',
  'EENTER 15':
    'the reference names the CET checks without their contents; CET state of threads is not modelled',
  'ERESUME 15': 'as EENTER 15',
};

/** Parts of rows that no instruction can reach although the row itself is tested. */
export const UNREACHABLE_PARTS: Readonly<Record<string, string>> = {
  'ECREATE 10': '"no XSAVE": every modelled processor has XSAVE',
  'EBLOCK 6': '"unknown type": without CET no leaf makes such a page',
  'EDBGRD 1': '4-byte alignment exists outside 64-bit mode only',
  'EENTER 9':
    '32-bit code and OSXSAVE = 0: the model is 64-bit with XSAVE; MODE64BIT = 0 fails here as CPU mode',
  'ERESUME 12': '"XSAVE image faults": extended state is not modelled, so none is restored',
  'EACCEPTCOPY 8': '"not exactly R and W": no leaf changes the permissions of a PENDING page',
};
