import { SECS_RECORD, versionArrayNumber } from '@epckit/enclave';
import type { FrameTable, OwnerId, PageIndex } from '@epckit/interface';
import { MisuseError, NONE, OwnerKind } from '@epckit/interface';

/** Names of things in scripts and records: `"section:index"`, `"SECS"`, `"VA0"`. */
export class Names {
  readonly #frames: FrameTable;
  readonly #enclaves = new Map<OwnerId, string>();
  readonly #processes = new Map<number, string>();
  /** Pages of enclaves that the driver does not know: of an earlier kernel, of guests. */
  readonly #labels = new Map<PageIndex, { readonly enclave: string; readonly record: number | string }>();

  constructor(frames: FrameTable) {
    this.#frames = frames;
  }

  /** The enclave `owner` is called `name`. */
  setEnclave(owner: OwnerId, name: string): void {
    this.#enclaves.set(owner, name);
  }

  /** The process with address space `mm` is called `name`. */
  setProcess(mm: number, name: string): void {
    this.#processes.set(mm, name);
  }

  /** The EPC page holds `record` of an enclave that the driver does not know; until {@link unlabel}. */
  label(page: PageIndex, enclave: string, record: number | string): void {
    this.#labels.set(page, { enclave, record });
  }

  /** Forgets a {@link label}. */
  unlabel(page: PageIndex): void {
    this.#labels.delete(page);
  }

  /** Forgets every {@link label}. */
  unlabelAll(): void {
    this.#labels.clear();
  }

  /**
   * EPC page of a name `"section:index"`, `-1` for `"none"`.
   *
   * @throws MisuseError if there is no such page
   */
  pageOf(name: string): PageIndex {
    if (name === 'none') return NONE;
    const match = /^(\d+):(\d+)$/.exec(name);
    const section = this.#frames.sections[Number(match?.[1] ?? NONE)];
    const index = Number(match?.[2]);
    if (section !== undefined && index < section.pageCount) return section.firstPage + index;
    throw new MisuseError(`There is no EPC page '${name}'.`, [
      `sections: ${this.#frames.sections.map(({ pageCount }) => `${pageCount} pages`).join(', ')}`,
    ]);
  }

  /** EPC page as `"section:index"`. */
  page(page: PageIndex): string {
    const section = this.#frames.section(page);
    return `${section}:${page - this.#firstOf(section)}`;
  }

  /** Name of the enclave with id `owner`. */
  enclave(owner: OwnerId): string | null {
    return this.#enclaves.get(owner) ?? null;
  }

  /** Name of a process. */
  process(mm: number): string | null {
    return this.#processes.get(mm) ?? null;
  }

  /** Enclave that the EPC page belongs to, or null. */
  ownerOf(page: PageIndex): string | null {
    const label = this.#labels.get(page);
    if (label !== undefined) return label.enclave;
    return this.#frames.kind(page) === OwnerKind.NATIVE ? this.enclave(this.#frames.owner(page)) : null;
  }

  /** What the EPC page holds: a page number, `"SECS"`, `"VA<n>"`, or null. */
  recordOf(page: PageIndex): number | string | null {
    const label = this.#labels.get(page);
    if (label !== undefined) return label.record;
    if (this.#frames.kind(page) !== OwnerKind.NATIVE) return null;
    const record = this.#frames.record(page);
    if (record === SECS_RECORD) return 'SECS';
    const versionArray = versionArrayNumber(record);
    return versionArray === NONE ? record : `VA${versionArray}`;
  }

  /** Pages in order as ascending runs `"s:a-b"`. */
  runs(pages: Iterable<PageIndex>): string[] {
    const runs: string[] = [];
    let first = NONE;
    let last = NONE;
    const flush = (): void => {
      if (first !== NONE) runs.push(this.run(first, last));
    };
    for (const page of pages) {
      if (first !== NONE && page === last + 1 && this.#frames.section(page) === this.#frames.section(last)) {
        last = page;
        continue;
      }
      flush();
      first = page;
      last = page;
    }
    flush();
    return runs;
  }

  /** One run of pages of one section. */
  run(first: PageIndex, last: PageIndex): string {
    const name = this.page(first);
    return first === last ? name : `${name}-${last - this.#firstOf(this.#frames.section(first))}`;
  }

  #firstOf(section: number): PageIndex {
    return this.#frames.sections[section]?.firstPage ?? 0;
  }
}

/** Ascending numbers as runs `"a-b"`. */
export function numberRuns(numbers: readonly number[]): string[] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] + 1 === number) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
}
