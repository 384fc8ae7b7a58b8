import { Leaf } from '@epckit/interface';
import { HardwareMisuse } from '../errors.js';
import { eaccept, eacceptcopy, emodpe } from './accept.js';
import { eadd, ecreate, eextend, epa, eremove } from './build.js';
import { edbgrd, edbgwr } from './debug.js';
import type { ThreadSlot } from './entry.js';
import { edeccssa, eenter, eexit, eresume } from './entry.js';
import { eblock, etrack, etrackc, ewb } from './evict.js';
import { edecvirtchild, eincvirtchild, erdinfo, esetcontext, eupdatesvn } from './host.js';
import type { InitVerifiers } from './init.js';
import { einit } from './init.js';
import type { Instruction, ProcessorComponents } from './instruction.js';
import { eldb, eldbc, eldu, elduc } from './load.js';
import { eaug, emodpr, emodt } from './modify.js';
import type { Outcome } from './outcome.js';

/** What a few leaves need besides their operands. */
interface Surroundings {
  readonly components: ProcessorComponents;
  readonly slot: ThreadSlot;
  readonly verifiers: InitVerifiers;
}

type LeafFlow = (i: Instruction, surroundings: Surroundings) => Outcome;

const FLOWS: Readonly<Record<number, LeafFlow>> = {
  [Leaf.ECREATE]: ecreate,
  [Leaf.EADD]: eadd,
  [Leaf.EINIT]: (i, { verifiers }) => einit(i, verifiers),
  [Leaf.EREMOVE]: eremove,
  [Leaf.EDBGRD]: edbgrd,
  [Leaf.EDBGWR]: edbgwr,
  [Leaf.EEXTEND]: eextend,
  [Leaf.ELDB]: eldb,
  [Leaf.ELDU]: eldu,
  [Leaf.EBLOCK]: eblock,
  [Leaf.EPA]: epa,
  [Leaf.EWB]: ewb,
  [Leaf.ETRACK]: etrack,
  [Leaf.EAUG]: eaug,
  [Leaf.EMODPR]: emodpr,
  [Leaf.EMODT]: emodt,
  [Leaf.ERDINFO]: erdinfo,
  [Leaf.ETRACKC]: etrackc,
  [Leaf.ELDBC]: eldbc,
  [Leaf.ELDUC]: elduc,
  [Leaf.EUPDATESVN]: eupdatesvn,
  [Leaf.EDECVIRTCHILD]: edecvirtchild,
  [Leaf.EINCVIRTCHILD]: eincvirtchild,
  [Leaf.ESETCONTEXT]: esetcontext,
  [Leaf.EENTER]: (i, { components, slot }) => eenter(i, components, slot),
  [Leaf.ERESUME]: (i, { components, slot }) => eresume(i, components, slot),
  [Leaf.EEXIT]: (i, { components, slot }) => eexit(i, components, slot),
  [Leaf.EACCEPT]: eaccept,
  [Leaf.EMODPE]: emodpe,
  [Leaf.EACCEPTCOPY]: eacceptcopy,
  [Leaf.EDECCSSA]: (i, { components, slot }) => edeccssa(i, components, slot),
};

/**
 * Flow of a leaf that has passed the checks before it.
 *
 * @throws HardwareMisuse for EREPORT and EGETKEY
 */
export function flowOf(leaf: number): LeafFlow {
  const flow = FLOWS[leaf];
  if (flow !== undefined) return flow;
  throw new HardwareMisuse(
    'EREPORT and EGETKEY are not modelled: they touch no EPC state.',
    [`ENCLU leaf ${leaf & 0xff}`],
    'Stop before them, or give their results to the program yourself.',
  );
}
