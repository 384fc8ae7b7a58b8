import type { ObjectRegistry, SgxHardware } from '@epckit/interface';
import { Access, EpcmCheck, LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
// By path: hardware is tested with this package, so a dependency on it would close a circle.
import { createSgxHardware } from '../../hardware/src/index.js';
import type { ConformanceCase, SgxHardwareSize } from '../src/index.js';
import { sgxHardwareCases } from '../src/index.js';
import { failuresOf } from './kits.js';

function createObjects(): ObjectRegistry {
  let next = 0;
  return {
    range: (_kind, count) => {
      next += count;
      return next - count;
    },
    nameOf: String,
  };
}
const newBlob = () => ({ contents: 0, secinfo: 0, enclaveId: 0, linearPage: 0, macLow: 0, macHigh: 0 });

type Members = Partial<SgxHardware>;
type Mutation = (h: SgxHardware) => Members;

function casesWith(mutate: Mutation): ConformanceCase[] {
  return sgxHardwareCases((size: SgxHardwareSize) => {
    const sound = createSgxHardware(size, { objects: createObjects(), monitor: null, probe: null });
    const members = mutate(sound);
    const hardware = new Proxy(sound, {
      get(target, key) {
        if (key in members) return Reflect.get(members, key);
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return { hardware, newBlob };
  });
}

const isActive = (h: SgxHardware, page: number): boolean => {
  const { valid, secs } = h.entry(page);
  if (!valid || secs < 0) return false;
  const { current, previous } = h.tracking(secs);
  return current + previous > 0;
};
const isSecs = (h: SgxHardware, page: number): boolean => {
  const { valid, type } = h.entry(page);
  return valid && type === PageType.SECS;
};

/** One behaviour each. */
const broken: Readonly<Record<string, Mutation>> = {
  'takes a second EBLOCK for a first': (h) => {
    const again = new Set<number>();
    return {
      eblock: (cpu, page) => {
        const result = h.eblock(cpu, page);
        if (result === SgxCode.BLSTATE) again.add(page);
        return result;
      },
      ewb: (cpu, page, va, slot, blob) =>
        again.has(page) ? SgxCode.NOT_TRACKED : h.ewb(cpu, page, va, slot, blob),
    };
  },
  'says that a page is blocked only once': (h) => ({
    eblock: (cpu, page) => (h.isValid(page) && h.entry(page).blocked ? 0 : h.eblock(cpu, page)),
  }),
  'tells a SECS and a VA page apart no more': (h) => ({
    eblock: (cpu, page) => (h.eblock(cpu, page) === SgxCode.PG_IS_SECS ? 5 : h.eblock(cpu, page)),
  }),
  'begins a cycle before the last has ended': (h) => ({
    etrack: (cpu, secs) => {
      const result = h.etrack(cpu, secs);
      return result === SgxCode.PREV_TRK_INCMPL ? 0 : result;
    },
  }),
  'needs no ETRACK for an enclave that nobody is in': (h) => ({
    ewb: (cpu, page, va, slot, blob) => {
      const result = h.ewb(cpu, page, va, slot, blob);
      if (result !== SgxCode.NOT_TRACKED || isActive(h, page)) return result;
      h.etrack(cpu, h.entry(page).secs);
      return h.ewb(cpu, page, va, slot, blob);
    },
  }),
  'judges tracking before BLOCKED': (h) => ({
    ewb: (cpu, page, va, slot, blob) => {
      const result = h.ewb(cpu, page, va, slot, blob);
      return result === SgxCode.PAGE_NOT_BLOCKED ? SgxCode.NOT_TRACKED : result;
    },
  }),
  'does not say that a slot was occupied': (h) => ({
    ewb: (cpu, page, va, slot, blob) => h.ewb(cpu, page, va, slot, blob) % SgxCode.VA_SLOT_OCCUPIED,
  }),
  'refuses an occupied slot': (h) => ({
    ewb: (cpu, page, va, slot, blob) => {
      const word = { value: 0n };
      if (h.edbgrd(cpu, va, slot * 8, word) === 0 && word.value !== 0n) return SgxCode.VA_SLOT_OCCUPIED;
      return h.ewb(cpu, page, va, slot, blob);
    },
  }),
  'does not write LINADDR back': (h) => ({
    ewb: (cpu, page, va, slot, blob) => {
      const result = h.ewb(cpu, page, va, slot, blob);
      blob.linearPage = 0;
      return result;
    },
  }),
  'believes ENCLAVEID': (h) => ({
    eldu: (cpu, target, secs, va, slot, blob) =>
      blob.enclaveId === 99 ? SgxCode.MAC_COMPARE_FAIL : h.eldu(cpu, target, secs, va, slot, blob),
  }),
  'forgives changed contents': (h) => ({
    eldu: (cpu, target, secs, va, slot, blob) => {
      const result = h.eldu(cpu, target, secs, va, slot, blob);
      if (result !== SgxCode.MAC_COMPARE_FAIL) return result;
      return h.eldu(cpu, target, secs, va, slot, { ...blob, contents: blob.contents - 1 });
    },
  }),
  'loads a blob without a version': (h) => ({
    eldu: (cpu, target, secs, va, slot, blob) => h.eldu(cpu, target, secs, va, slot, blob) % 9,
  }),
  'loads blocked pages with ELDU': (h) => ({ eldu: h.eldb.bind(h) }),
  'loads pages that are not blocked with ELDB': (h) => ({ eldb: h.eldu.bind(h), eldbc: h.elduc.bind(h) }),
  'keeps a trimmed page while a thread runs': (h) => ({
    eremove: (cpu, page) => (isActive(h, page) ? SgxCode.ENCLAVE_ACT : h.eremove(cpu, page)),
  }),
  'removes an unaccepted trimmed page while a thread runs': (h) => ({
    eremove: (cpu, page) => (h.entry(page).type === PageType.TRIM ? 0 : h.eremove(cpu, page)),
  }),
  'judges the type before MODIFIED in EMODPR': (h) => ({
    emodpr: (cpu, page, secinfo) =>
      h.isValid(page) && h.entry(page).type !== PageType.REG ? LeafFault.PF : h.emodpr(cpu, page, secinfo),
  }),
  'judges MODIFIED before the type in EMODT': (h) => ({
    emodt: (cpu, page, secinfo) =>
      (h.entry(page).flags & SecInfo.MODIFIED) !== 0
        ? SgxCode.PAGE_NOT_MODIFIABLE
        : h.emodt(cpu, page, secinfo),
  }),
  'widens with EMODPR': (h) => ({ emodpr: (cpu, page, secinfo) => h.emodpr(cpu, page, secinfo | 7) }),
  'compares PR in EACCEPT': (h) => ({
    eaccept: (cpu, page, linearPage, secinfo) =>
      ((h.entry(page).flags ^ secinfo) & SecInfo.PR) !== 0 && h.entry(page).linearPage === linearPage
        ? SgxCode.PAGE_ATTRIBUTES_MISMATCH
        : h.eaccept(cpu, page, linearPage, secinfo),
  }),
  'copies a page and leaves its permissions': (h) => ({
    eacceptcopy: (cpu, page, linearPage, source, from, secinfo) =>
      h.eacceptcopy(cpu, page, linearPage, source, from, secinfo | SecInfo.W),
  }),
  'shows versions to a debugger': (h) => ({
    edbgrd: (cpu, page, offset, word) => {
      const result = h.edbgrd(cpu, page, offset, word);
      word.value &= 0xffn;
      return result;
    },
  }),
  'drops what a debugger writes': (h) => ({
    edbgwr: (cpu, page, offset) => h.edbgwr(cpu, page, offset, 0n),
  }),
  'lets everybody debug': (h) => ({
    edbgrd: (cpu, page, offset, word) => {
      const result = h.edbgrd(cpu, page, offset, word);
      return result === LeafFault.GP && offset % 8 === 0 ? 0 : result;
    },
  }),
  'hides BLOCKED from ERDINFO': (h) => ({
    erdinfo: (cpu, page, info) => {
      const result = h.erdinfo(cpu, page, info);
      info.blocked = false;
      return result;
    },
  }),
  'writes RDINFO also when it refuses, and forgets ENCLAVECONTEXT': (h) => ({
    esetcontext: (cpu, secs) => h.esetcontext(cpu, secs, 0),
  }),
  'counts a virtual child below zero': (h) => ({
    edecvirtchild: (cpu, page, secs) => h.edecvirtchild(cpu, page, secs) % SgxCode.INVALID_COUNTER,
  }),
  'takes a VA page for an invalid one in ETRACKC': (h) => ({
    etrackc: (cpu, page) => {
      const result = h.etrackc(cpu, page);
      return result === SgxCode.TRACK_NOT_REQUIRED ? SgxCode.PG_INVLD : result;
    },
  }),
  'hides PENDING': (h) => ({
    entry: (page) => ({ ...h.entry(page), flags: h.entry(page).flags & ~SecInfo.PENDING }),
  }),
  'translates blocked pages': (h) => ({
    check: (secs, page, linearPage, kind) => {
      const verdict = h.check(secs, page, linearPage, kind);
      return verdict === EpcmCheck.BLOCKED ? EpcmCheck.OK : verdict;
    },
  }),
  'checks for a read whatever is done': (h) => ({
    check: (secs, page, linearPage) => h.check(secs, page, linearPage, Access.READ),
  }),
  'always was inside': (h) => ({
    aex: (cpu) => {
      h.aex(cpu);
      return true;
    },
  }),
  'hides the older count': (h) => ({ tracking: (secs) => ({ ...h.tracking(secs), previous: 0 }) }),
  'does not count children': (h) => ({ tracking: (secs) => ({ ...h.tracking(secs), children: 0 }) }),
  'forbids aliases': (h) => ({
    eadd: (cpu, target, secs, linearPage, secinfo, contents) => {
      const pages = Array.from({ length: h.pageCount }, (_, page) => h.entry(page));
      const isTaken = pages.some((entry) => entry.secs === secs && entry.linearPage === linearPage);
      return isTaken ? LeafFault.GP : h.eadd(cpu, target, secs, linearPage, secinfo, contents);
    },
  }),
  'counts evicted children of a SECS': (h) => {
    let isOut = false;
    return {
      ewb: (cpu, page, va, slot, blob) => {
        const result = h.ewb(cpu, page, va, slot, blob);
        isOut ||= result === 0;
        return result;
      },
      eremove: (cpu, page) => (isOut && isSecs(h, page) ? SgxCode.CHILD_PRESENT : h.eremove(cpu, page)),
    };
  },
  'counts changes that are none': (h) => {
    let extra = 0;
    return {
      get changes() {
        return h.changes + extra;
      },
      etrack: (cpu, secs) => {
        extra++;
        return h.etrack(cpu, secs);
      },
    };
  },
  'keeps its power': () => ({ powerCycle: () => {} }),
  'never refuses an acquire': (h) => ({
    acquire: (cpu, leaf, page, secs, va) => Math.min(h.acquire(cpu, leaf, page, secs, va), 0),
  }),
  'gives 7 to EBLOCK during ETRACK': (h) => ({
    acquire: (cpu, leaf, page, secs, va) => {
      const result = h.acquire(cpu, leaf, page, secs, va);
      return result === SgxCode.ENTRYEPOCH_LOCKED ? SgxCode.EPC_PAGE_CONFLICT : result;
    },
  }),
  'holds nothing between acquire and complete': () => ({ acquire: () => 0, complete: () => {} }),
  'never gives back': () => ({ complete: () => {} }),
  'runs two leaves at a time on a processor': (h) => ({
    acquire: (cpu, leaf, page, secs, va) => {
      try {
        return h.acquire(cpu, leaf, page, secs, va);
      } catch {
        return 0;
      }
    },
  }),
};

const LEAVES = [
  ...(['ecreate', 'eadd', 'eextend', 'einit', 'eremove', 'epa', 'eblock', 'etrack', 'ewb', 'eldu'] as const),
  ...(['eldb', 'eldbc', 'elduc', 'etrackc', 'eaug', 'emodpr', 'emodt', 'edbgrd', 'edbgwr'] as const),
  ...(['erdinfo', 'eupdatesvn', 'eincvirtchild', 'edecvirtchild', 'esetcontext', 'eaccept'] as const),
  ...(['emodpe', 'eacceptcopy', 'eenter', 'eresume', 'eexit'] as const),
];

type AnyLeaf = (...operands: never[]) => number;
/** Does what it should, and always says 0. */
const forgiving = (leaf: (typeof LEAVES)[number]): Mutation => {
  return (h) => ({
    [leaf]: (...operands: never[]) => {
      (h[leaf] as AnyLeaf)(...operands);
      return 0;
    },
  });
};
/** Says 0 and does nothing. */
const pretending = (leaf: (typeof LEAVES)[number]): Mutation => {
  return () => ({ [leaf]: () => 0 });
};

describe('sgxHardwareCases', () => {
  const sound = casesWith(() => ({}));
  const failed = new Set<string>();

  it('passes sound hardware', () => {
    expect(failuresOf(sound)).toEqual([]);
  });
  it.each(Object.entries(broken))('fails hardware that %s', (_, mutate) => {
    const failures = failuresOf(casesWith(mutate));
    expect(failures).not.toEqual([]);
    for (const name of failures) failed.add(name);
  });
  it.each(LEAVES)('fails hardware whose %s never says why it refuses', (leaf) => {
    const failures = failuresOf(casesWith(forgiving(leaf)));
    expect(failures).not.toEqual([]);
    for (const name of failures) failed.add(name);
  });
  it.each(LEAVES)('fails hardware whose %s does nothing', (leaf) => {
    // One failure is enough here, and most come early.
    expect(casesWith(pretending(leaf)).some((one) => failuresOf([one]).length > 0)).toBe(true);
  });

  it('has no case that cannot fail', () => {
    const names = sound.map(({ name }) => name.slice(name.indexOf(': ') + 2));
    expect(names.filter((name) => !failed.has(name))).toEqual([]);
  });
});
