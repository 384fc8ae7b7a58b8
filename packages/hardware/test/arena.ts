import type { HardwareModel } from '@epckit/hardware';
import type { DebugWord, LeafId, PagingBlob, RdInfo } from '@epckit/interface';
import { Attribute, Leaf, leafNames, PageType, SecInfo } from '@epckit/interface';
import { expect } from 'vitest';
import { BASE, empty, newBlob, REG_RW, SOURCE, TCS } from './fixture.js';

/**
 * Where things are in an {@link Arena}. Enclave A is initialised, B and C are being built, E has no page. CPUs 2 and
 * 3 are inside A through `inside2` and `inside3`; `saved1` and `saved2` have a saved frame.
 */
export const place = {
  va1: 0,
  va2: 1,
  secsA: 2,
  tcs1: 3,
  tcs2: 4,
  saved1: 5,
  saved2: 6,
  inside2: 7,
  inside3: 8,
  p: 9,
  q: 10,
  blocked1: 11,
  blocked2: 12,
  new1: 13,
  new2: 14,
  restricted: 15,
  trimmed: 16,
  secsB: 17,
  pB: 18,
  secsC: 19,
  pC: 20,
  secsE: 21,
  free1: 22,
  free2: 23,
  outside: 99,
} as const;

/** Linear page of enclave A that nobody has. */
const SPARE = BASE + 30;
const ENTERED = [place.inside2, place.inside3];
const TRIM = PageType.TRIM << SecInfo.TYPE_SHIFT;
const source = { ...SOURCE, pageCount: 32, attributes: Attribute.MODE64BIT | Attribute.DEBUG };

/** A leaf with its operands, as acquire takes them. */
export interface Operands {
  readonly leaf: LeafId;
  readonly page: number;
  readonly secs: number;
  readonly va: number;
}

/** Hardware in which every leaf can succeed, and what software keeps for it. */
export class Arena {
  readonly hardware: HardwareModel = empty({ pageCount: 24 });
  /** Pages of A that are outside: the first in slot 0 of `va1`, the second in slot 0 of `va2`. */
  readonly blobs: readonly PagingBlob[] = [newBlob(), newBlob()];
  readonly #word: DebugWord = { value: 0n };
  readonly #info: RdInfo = { status: 0, flags: 0, blocked: false, context: 0 };

  constructor() {
    const results = [...this.#build(), ...this.#settle()];
    expect(results).toEqual(results.map(() => 0));
  }

  /** Calls a leaf; operands that acquire does not know are chosen so that nothing is wrong with them. */
  call(cpu: number, { leaf, page, secs, va }: Operands): number {
    const h = this.hardware;
    const { linearPage, flags, type } = h.entry(page);
    const secinfo = flags | (type << SecInfo.TYPE_SHIFT);
    const blob = this.blobs[va === place.va2 ? 1 : 0] as PagingBlob;
    switch (leaf) {
      case Leaf.ECREATE:
        return h.ecreate(cpu, page, source);
      case Leaf.EADD:
        return h.eadd(cpu, page, secs, SPARE, REG_RW, 1);
      case Leaf.EINIT:
        return h.einit(cpu, page, {});
      case Leaf.EREMOVE:
        return h.eremove(cpu, page);
      case Leaf.EDBGRD:
        return h.edbgrd(cpu, page, 0, this.#word);
      case Leaf.EDBGWR:
        return h.edbgwr(cpu, page, 8, 0n);
      case Leaf.EEXTEND:
        return h.eextend(cpu, page, secs, 0);
      case Leaf.ELDB:
        return h.eldb(cpu, page, secs, va, 0, blob);
      case Leaf.ELDU:
        return h.eldu(cpu, page, secs, va, 0, blob);
      case Leaf.EBLOCK:
        return h.eblock(cpu, page);
      case Leaf.EPA:
        return h.epa(cpu, page);
      case Leaf.EWB:
        return h.ewb(cpu, page, va, 9, newBlob());
      case Leaf.ETRACK:
        return h.etrack(cpu, page);
      case Leaf.EAUG:
        return h.eaug(cpu, page, secs, SPARE, 0);
      case Leaf.EMODPR:
        return h.emodpr(cpu, page, SecInfo.R);
      case Leaf.EMODT:
        return h.emodt(cpu, page, TRIM);
      case Leaf.ERDINFO:
        return h.erdinfo(cpu, page, this.#info);
      case Leaf.ETRACKC:
        return h.etrackc(cpu, page);
      case Leaf.ELDBC:
        return h.eldbc(cpu, page, secs, va, 0, blob);
      case Leaf.ELDUC:
        return h.elduc(cpu, page, secs, va, 0, blob);
      case Leaf.EUPDATESVN:
        return h.eupdatesvn(cpu);
      case Leaf.EDECVIRTCHILD:
        return h.edecvirtchild(cpu, page, secs);
      case Leaf.EINCVIRTCHILD:
        return h.eincvirtchild(cpu, page, secs);
      case Leaf.ESETCONTEXT:
        return h.esetcontext(cpu, page, 5);
      case Leaf.EENTER:
        return h.eenter(cpu, page, linearPage);
      case Leaf.ERESUME:
        return h.eresume(cpu, page, linearPage);
      case Leaf.EEXIT:
        return h.eexit(cpu);
      case Leaf.EACCEPT:
        return h.eaccept(cpu, page, linearPage, secinfo);
      case Leaf.EMODPE:
        return h.emodpe(cpu, page, linearPage, SecInfo.R);
      case Leaf.EACCEPTCOPY:
        return h.eacceptcopy(cpu, page, linearPage, place.p, BASE + place.p, REG_RW);
      case Leaf.EDECCSSA:
        return h.edeccssa(cpu);
      case Leaf.AEX:
        return Number(h.aex(cpu));
      default:
        throw new Error(`no call for ${leafNames[leaf]}`);
    }
  }

  /** Pages, each at the linear page BASE + its number. */
  #build(): number[] {
    const { hardware: h, blobs } = this;
    const add = (page: number, secs: number, secinfo: number) =>
      h.eadd(0, page, secs, BASE + page, secinfo, page);
    const { tcs1, tcs2, saved1, saved2, p, q, blocked1, blocked2, restricted, trimmed, free1, free2 } = place;
    return [
      h.epa(0, place.va1),
      h.epa(0, place.va2),
      ...[place.secsA, place.secsB, place.secsC, place.secsE].map((secs) => h.ecreate(0, secs, source)),
      ...[tcs1, tcs2, saved1, saved2, ...ENTERED].map((page) => add(page, place.secsA, TCS)),
      ...[p, q, blocked1, blocked2, restricted, trimmed, free1, free2].map((page) =>
        add(page, place.secsA, REG_RW),
      ),
      add(place.pB, place.secsB, REG_RW),
      add(place.pC, place.secsC, REG_RW),
      h.einit(0, place.secsA, {}),
      ...[free1, free2, blocked1, blocked2].map((page) => h.eblock(0, page)),
      h.etrack(0, place.secsA),
      h.ewb(0, free1, place.va1, 0, blobs[0] as PagingBlob),
      h.ewb(0, free2, place.va2, 0, blobs[1] as PagingBlob),
    ];
  }

  /** What needs an initialised enclave. */
  #settle(): number[] {
    const { hardware: h } = this;
    const { secsA, saved1, saved2, new1, new2, restricted, trimmed } = place;
    const thrownOut = (tcs: number) => [h.eenter(0, tcs, BASE + tcs), h.aex(0) ? 0 : 1];
    return [
      ...[saved1, saved2].flatMap(thrownOut),
      ...[new1, new2].map((page) => h.eaug(0, page, secsA, BASE + page, 0)),
      h.emodpr(0, restricted, SecInfo.R),
      h.emodt(0, trimmed, TRIM),
      h.eincvirtchild(0, secsA, secsA),
      h.etrack(0, secsA),
      ...ENTERED.map((tcs, index) => h.eenter(2 + index, tcs, BASE + tcs)),
      h.eaccept(2, trimmed, BASE + trimmed, TRIM | SecInfo.MODIFIED),
    ];
  }
}
