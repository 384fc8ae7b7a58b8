/**
 * Numbers of ENCLS, ENCLV and ENCLU leaf functions (SDM vol. 3D, leaf reference), in one space: ENCLS as in
 * EAX, ENCLV from `0x100`, ENCLU from `0x200`. AEX is an event, not a leaf; it has a number here because it
 * changes tracking state and appears in traces beside the leaves.
 */
export const Leaf = {
  /** makes a SECS */
  ECREATE: 0x00,
  /** adds a page before EINIT */
  EADD: 0x01,
  /** finishes the build */
  EINIT: 0x02,
  /** makes a page invalid */
  EREMOVE: 0x03,
  /** debugger read */
  EDBGRD: 0x04,
  /** debugger write */
  EDBGWR: 0x05,
  /** measures 256 bytes */
  EEXTEND: 0x06,
  /** loads an evicted page, blocked */
  ELDB: 0x07,
  /** loads an evicted page, not blocked */
  ELDU: 0x08,
  /** forbids new translations to a page */
  EBLOCK: 0x09,
  /** makes a version array page */
  EPA: 0x0a,
  /** writes a blocked page out of the EPC */
  EWB: 0x0b,
  /** starts a tracking cycle */
  ETRACK: 0x0c,
  /** adds a page after EINIT */
  EAUG: 0x0d,
  /** restricts permissions */
  EMODPR: 0x0e,
  /** changes the page type */
  EMODT: 0x0f,
  /** reads the state of a page (host of a guest) */
  ERDINFO: 0x10,
  /** ETRACK that reports a conflict as a code (host of a guest) */
  ETRACKC: 0x11,
  /** ELDB that reports a conflict as a code (host of a guest) */
  ELDBC: 0x12,
  /** ELDU that reports a conflict as a code (host of a guest) */
  ELDUC: 0x13,
  /** updates the security version */
  EUPDATESVN: 0x18,
  /** ENCLV: one evicted child less (host of a guest) */
  EDECVIRTCHILD: 0x100,
  /** ENCLV: one evicted child more (host of a guest) */
  EINCVIRTCHILD: 0x101,
  /** ENCLV: sets the cookie of a SECS (host of a guest) */
  ESETCONTEXT: 0x102,
  /** ENCLU: enters an enclave */
  EENTER: 0x202,
  /** ENCLU: enters again after an asynchronous exit */
  ERESUME: 0x203,
  /** ENCLU: leaves an enclave */
  EEXIT: 0x204,
  /** ENCLU: accepts a changed page */
  EACCEPT: 0x205,
  /** ENCLU: extends permissions */
  EMODPE: 0x206,
  /** ENCLU: accepts a new page with contents */
  EACCEPTCOPY: 0x207,
  /** ENCLU: drops a save state frame */
  EDECCSSA: 0x209,
  /** asynchronous exit, an event */
  AEX: 0x2ff,
} as const;
/** Name of a leaf, such as `'EWB'`. */
export type LeafName = keyof typeof Leaf;
/** Value of {@link Leaf}. */
export type LeafId = (typeof Leaf)[LeafName];

/** Reverse look-up: `leafNames[0x0b] === 'EWB'`. */
export const leafNames: Readonly<Record<number, LeafName>> = Object.freeze(
  Object.fromEntries(Object.entries(Leaf).map(([name, value]) => [value, name])) as Record<number, LeafName>,
);
