import type { AccessMonitor, FrameSection, FrameTable, NodeId, ObjectRegistry } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import { FrameColumns } from './frame-columns.js';

/** Bytes that the table keeps per EPC page, all columns together. */
export const FRAME_BYTES = 22;

const MAX_PAGE_COUNT = 0x7fff_fffe;

/** One EPC section as the table needs it. */
export interface SectionOptions {
  /** Node that the section belongs to. */
  readonly node: NodeId;
  /** Number of EPC pages in the section. */
  readonly pageCount: number;
}

/** What {@link createFrameTable} builds. */
export interface FrameTableOptions {
  /** Sections in discovery order; pages are numbered through all of them. */
  readonly sections: readonly SectionOptions[];
}

/** What {@link createFrameTable} uses. */
export interface FrameTableComponents {
  /** Gives out object numbers for `AccessMonitor` and ops. */
  readonly objects: ObjectRegistry;
  /** The checking mode, or `null`: no reports and no cost. */
  readonly monitor: AccessMonitor | null;
}

/**
 * Makes the frame table of a machine: no page has an owner, a flag or a list (Linux `sgx_setup_epc_section`
 * without the dirty list, see `FrameTable.appendAll`).
 *
 * Takes {@link FRAME_BYTES} per page of zeroed memory and no time per page.
 *
 * @throws MisuseError for a section without pages or a negative node
 */
export function createFrameTable(options: FrameTableOptions, components: FrameTableComponents): FrameTable {
  return new FrameColumns(layOut(options.sections), components.objects, components.monitor);
}

/** Numbers the pages of all sections. */
function layOut(sections: readonly SectionOptions[]): readonly FrameSection[] {
  let firstPage = 0;
  const laidOut = sections.map(({ node, pageCount }, index) => {
    const isGood = Number.isInteger(pageCount) && pageCount > 0 && Number.isInteger(node) && node >= 0;
    if (!isGood) throw badSection(index, node, pageCount);
    const section = Object.freeze({ node, firstPage, pageCount });
    firstPage += pageCount;
    return section;
  });
  if (firstPage > MAX_PAGE_COUNT) {
    throw new MisuseError('The sections have too many pages.', [
      `given: ${firstPage}`,
      `limit: ${MAX_PAGE_COUNT}`,
    ]);
  }
  return Object.freeze(laidOut);
}

function badSection(index: number, node: NodeId, pageCount: number): MisuseError {
  return new MisuseError(`EPC section ${index} cannot be used.`, [
    `given: node ${node}, ${pageCount} pages`,
    'allowed: a node from 0 up, at least one page',
  ]);
}
