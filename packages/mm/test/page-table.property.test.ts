import type { AccessKind, PageTable } from '@epckit/interface';
import { Access, Prot, Pte, Walk } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAddressSpace, rightsOf } from '../src/index.js';
import { createHeldLocks, createObjectCounter, thread } from './hand-made.js';

const PAGES = 16;
const OWNER = 3;

type Command =
  | { readonly do: 'map'; readonly range: readonly [number, number]; readonly prot: number }
  | { readonly do: 'protect'; readonly range: readonly [number, number]; readonly prot: number }
  | { readonly do: 'unmap'; readonly range: readonly [number, number] }
  | { readonly do: 'insert'; readonly page: number }
  | { readonly do: 'zap'; readonly page: number }
  | { readonly do: 'age'; readonly page: number }
  | { readonly do: 'walk'; readonly page: number; readonly kind: AccessKind };

const page = fc.integer({ min: 0, max: PAGES - 1 });
const range = fc
  .tuple(fc.integer({ min: 0, max: PAGES }), fc.integer({ min: 0, max: PAGES }))
  .map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]);
const prot = fc.constantFrom(0, Prot.R, Prot.R | Prot.W, Prot.R | Prot.X, Prot.R | Prot.W | Prot.X);
const kind = fc.constantFrom(Access.READ, Access.WRITE, Access.EXECUTE);
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constant('map' as const), range, prot }),
  fc.record({ do: fc.constant('protect' as const), range, prot }),
  fc.record({ do: fc.constant('unmap' as const), range }),
  fc.record({ do: fc.constant('insert' as const), page }),
  fc.record({ do: fc.constant('zap' as const), page }),
  fc.record({ do: fc.constant('age' as const), page }),
  fc.record({ do: fc.constant('walk' as const), page, kind }),
);

/** What one page is, on its own. */
interface ModelPage {
  prot: number | undefined;
  present: boolean;
  young: boolean;
  dirty: boolean;
}

class PageModel {
  readonly pages: ModelPage[] = Array.from({ length: PAGES }, () => this.#unmapped());

  apply(step: Command): unknown {
    if (step.do === 'map') return this.#each(step.range, () => ({ ...this.#unmapped(), prot: step.prot }));
    if (step.do === 'unmap') return this.#each(step.range, () => this.#unmapped());
    if (step.do === 'protect') return this.#protect(step.range, step.prot);
    const at = this.pages[step.page] as ModelPage;
    if (step.do === 'walk') return this.#walk(at, step.kind);
    const was = { ...at };
    if (step.do === 'age') at.young = false;
    if (step.do === 'age') return was.young;
    if (step.do === 'zap') Object.assign(at, this.#unmapped(), { prot: at.prot });
    if (step.do === 'zap') return was.present;
    if (!was.present && was.prot !== undefined) Object.assign(at, { present: true, young: true });
    return was.prot === undefined ? 'refused' : !was.present;
  }

  #protect([start, end]: readonly [number, number], to: number): boolean {
    for (let at = start; at < end; at++) {
      const it = this.pages[at] as ModelPage;
      if (it.prot === undefined) return false;
      it.prot = to;
    }
    return true;
  }

  #walk(at: ModelPage, access: AccessKind): number {
    if (at.prot === undefined) return Walk.NO_MAPPING;
    if ((at.prot & (1 << access)) === 0) return Walk.NO_RIGHT;
    if (!at.present) return Walk.NOT_PRESENT;
    at.young = true;
    if (access === Access.WRITE) at.dirty = true;
    return Walk.HIT;
  }

  #each([start, end]: readonly [number, number], make: () => ModelPage): void {
    for (let at = start; at < end; at++) this.pages[at] = make();
  }

  #unmapped(): ModelPage {
    return { prot: undefined, present: false, young: false, dirty: false };
  }
}

function createTable() {
  const components = { locks: createHeldLocks(), objects: createObjectCounter(), monitor: null, probe: null };
  const mm = createAddressSpace({ id: 1, name: 'test', cpuCount: 4 }, components);
  return { mm, table: mm.tableFor(OWNER, PAGES) };
}

function applyTo(table: PageTable, walk: (at: number, access: AccessKind) => number, step: Command): unknown {
  switch (step.do) {
    case 'map':
    case 'protect':
      return table[step.do](thread, ...step.range, step.prot);
    case 'unmap':
      return table.unmap(thread, ...step.range);
    case 'zap':
      return table.zap(thread, step.page);
    case 'age':
      return table.testAndClearYoung(thread, step.page);
    case 'walk':
      return walk(step.page, step.kind);
    case 'insert':
      return table.vmaOf(step.page) === undefined ? 'refused' : table.insert(thread, step.page);
  }
}

/** Page-table byte that the model's page must have. */
function byteOf(it: ModelPage): number {
  if (!it.present) return 0;
  return (
    Pte.PRESENT | rightsOf(it.prot as number) | (it.young ? Pte.ACCESSED : 0) | (it.dirty ? Pte.DIRTY : 0)
  );
}

describe('page table', () => {
  it('behaves like an array of pages', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (steps) => {
        const { mm, table } = createTable();
        const model = new PageModel();
        for (const step of steps) {
          const result = applyTo(table, (at, access) => mm.walk(OWNER, at, access), step);
          expect(result).toEqual(model.apply(step));
          expect([...table.pte]).toEqual(model.pages.map(byteOf));
          expect(model.pages.map((_, at) => table.vmaOf(at)?.prot)).toEqual(model.pages.map((it) => it.prot));
          const neighbours = table.vmas.slice(1).map((vma, index) => [table.vmas[index], vma] as const);
          for (const [low, high] of neighbours) {
            expect(low && low.start < low.end && low.end <= high.start).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
