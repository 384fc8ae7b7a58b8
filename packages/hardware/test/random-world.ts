import type { HardwareModel } from '@epckit/hardware';
import { TagContents } from '@epckit/hardware';
import type { AccessKind, LeafId, PagingBlob } from '@epckit/interface';
import { Attribute, Leaf, leafNames, NONE, PageType, SecInfo } from '@epckit/interface';
import { BASE, empty, newBlob, REG_RW, SOURCE, TCS } from './fixture.js';

const PAGES = 24;
const CPUS = 4;
const ELRANGE = 16;
/** Slots of a VA page that are used, so that they collide now and then. */
const SLOTS = 5;
/** Tags of TCS pages with fields: these have a save state area. */
const THREAD_TAGS = [900, 901];
const FREE = -1;
const ODD_OPERANDS = [-1, -2, -3, PAGES + 3];
const { R, W, X, PENDING, MODIFIED, PR, TYPE_SHIFT } = SecInfo;
const typed = (type: number, flags = 0): number => flags | (type << TYPE_SHIFT);
const TRIM = typed(PageType.TRIM);
const REG = typed(PageType.REG);

/** A leaf that is about to run. */
export interface Call {
  readonly leaf: LeafId;
  readonly cpu: number;
  /** Operands as acquire takes them. */
  readonly page: number;
  readonly secs: number;
  readonly va: number;
  readonly run: () => number;
}

/** What happened in one step. */
export interface Outcome {
  readonly what: string;
  /** Leaf that has ended, or -1. */
  readonly leaf: number;
  readonly result: number;
}

/** Repeatable pseudo-random numbers (mulberry32, T. Ettinger, public domain). */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 0;
  }
  /** An integer from 0 to `sides` - 1. */
  below(sides: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides);
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}

/** Hardware under random leaves on several processors, natively and in guests, with accesses in between. */
export class RandomWorld {
  readonly hardware: HardwareModel;
  readonly cpuCount = CPUS;
  readonly #dice: Dice;
  readonly #types = new Int8Array(PAGES);
  readonly #blobs = new Map<number, PagingBlob>();
  readonly #running = new Map<number, Call>();
  #knownChanges = -1;

  constructor(seed: number) {
    this.#dice = new Dice(seed);
    const contents = new TagContents();
    for (const [index, tag] of THREAD_TAGS.entries()) contents.defineThread(tag, threadAt(index));
    const walk = (_cpu: number, linearPage: number) => this.#find(linearPage);
    this.hardware = empty(
      { pageCount: PAGES, cpuCount: CPUS, keepsTlbs: true, features: { aexNotify: true } },
      { contents, walk },
    );
  }

  /** One leaf, or one event beside the leaves. */
  step(): Outcome {
    const cpu = this.#dice.below(CPUS);
    const running = this.#running.get(cpu);
    if (running !== undefined) return this.#finish(running);
    const event = this.#dice.below(1000);
    if (event < 120) return this.#access(cpu);
    if (event < 126) return this.#set(cpu);
    if (event === 999 && this.#dice.chance(50)) return this.#losePower();
    const leaf = this.#dice.of(WEIGHTED);
    const call = this.#choose(leaf, BY_ENCLAVE.includes(leaf) ? this.#insider(cpu) : cpu);
    if (event > 900) return this.#start(call);
    return this.#end(call, call.run());
  }

  /** A processor that is in an enclave and runs no leaf, if there is one. */
  #insider(cpu: number): number {
    for (let step = 0; step < CPUS; step++) {
      const other = (cpu + step) % CPUS;
      if (this.hardware.insideOf(other) >= 0 && !this.#running.has(other)) return other;
    }
    return cpu;
  }

  #start(call: Call): Outcome {
    const { leaf, cpu, page, secs, va } = call;
    const result = this.hardware.acquire(cpu, leaf, page, secs, va);
    if (result !== 0) return this.#end(call, result);
    this.#running.set(cpu, call);
    return { what: `cpu ${cpu} starts ${leafNames[leaf]} ${page} ${secs} ${va}`, leaf: NONE, result };
  }
  #finish(call: Call): Outcome {
    const result = call.run();
    this.hardware.complete(call.cpu);
    this.#running.delete(call.cpu);
    return this.#end(call, result);
  }
  #end({ leaf, cpu, page, secs, va }: Call, result: number): Outcome {
    return { what: `cpu ${cpu} ${leafNames[leaf]} ${page} ${secs} ${va} = ${result}`, leaf, result };
  }

  #access(cpu: number): Outcome {
    const page = this.#pick(PageType.REG);
    const { linearPage } = this.#entry(page);
    const kind = this.#dice.below(3) as AccessKind;
    const mapping = { page, rights: this.#dice.of([R | W | X, R | W, R]) };
    const result = this.hardware.access(cpu, linearPage, mapping, kind);
    return { what: `cpu ${cpu} accesses page ${page}: ${result}`, leaf: NONE, result };
  }
  #set(cpu: number): Outcome {
    const { platform } = this.hardware;
    const what = this.#dice.below(4);
    if (what < 2) this.hardware.setExtended(cpu, what === 1);
    else if (what === 2) platform.raiseEvents(cpu, 1);
    else platform.entropyFailures = 1;
    return { what: `cpu ${cpu} setting ${what}`, leaf: NONE, result: 0 };
  }
  /** The EPC is empty now: the one moment at which EUPDATESVN has a chance. */
  #losePower(): Outcome {
    this.hardware.powerCycle();
    const { platform } = this.hardware;
    if (this.#dice.chance(50)) platform.microcodeSvn = platform.cpuSvn + 1;
    const result = this.hardware.eupdatesvn(0);
    return { what: 'power is lost, EUPDATESVN', leaf: Leaf.EUPDATESVN, result };
  }

  #choose(leaf: LeafId, cpu: number): Call {
    const call = (page: number, run: () => number, secs = NONE, va = NONE): Call => {
      return { leaf, cpu, page, secs, va, run };
    };
    return this.#build(leaf, cpu, call) ?? this.#evict(leaf, cpu, call) ?? this.#others(leaf, cpu, call);
  }

  #build(leaf: LeafId, cpu: number, call: Maker): Call | null {
    const { hardware: h } = this;
    const dice = this.#dice;
    const child = this.#child();
    const owner = this.#ownerOf(child);
    const target = this.#pick(FREE);
    const secs = this.#pick(PageType.SECS);
    const linearPage = BASE + dice.below(ELRANGE + 1);
    switch (leaf) {
      case Leaf.ECREATE: {
        const attributes = dice.chance(5) ? Attribute.KSS : Attribute.MODE64BIT | (dice.below(2) * 2);
        return call(target, () => h.ecreate(cpu, target, { ...SOURCE, pageCount: ELRANGE, attributes }));
      }
      case Leaf.EADD: {
        const secinfo = dice.of([REG_RW, REG_RW, REG | R, REG | R | X, TCS, TCS, TCS, REG | W, typed(3)]);
        const tag = secinfo === TCS && dice.chance(40) ? dice.of(THREAD_TAGS) : dice.below(100);
        return call(target, () => h.eadd(cpu, target, secs, linearPage, secinfo, tag), secs);
      }
      case Leaf.EEXTEND: {
        const chunk = dice.below(17);
        return call(child, () => h.eextend(cpu, child, owner, chunk), owner);
      }
      case Leaf.EINIT: {
        const measurement = dice.chance(5) ? '0'.repeat(64) : undefined;
        return call(secs, () => h.einit(cpu, secs, { measurement }));
      }
      case Leaf.EPA:
        return call(target, () => h.epa(cpu, target));
      case Leaf.EAUG: {
        const secinfo = dice.chance(5) ? typed(PageType.SS_REST, R | W) : 0;
        return call(target, () => h.eaug(cpu, target, secs, linearPage, secinfo), secs);
      }
      default:
        return null;
    }
  }

  #evict(leaf: LeafId, cpu: number, call: Maker): Call | null {
    const { hardware: h } = this;
    const child = this.#child();
    const secs = this.#pick(PageType.SECS);
    switch (leaf) {
      case Leaf.EREMOVE: {
        const page = this.#any();
        return call(page, () => h.eremove(cpu, page));
      }
      case Leaf.EBLOCK: {
        const page = this.#dice.chance(80) ? child : this.#any();
        return call(page, () => h.eblock(cpu, page));
      }
      case Leaf.ETRACK:
        return call(secs, () => h.etrack(cpu, secs));
      case Leaf.ETRACKC: {
        const page = this.#any();
        return call(page, () => h.etrackc(cpu, page));
      }
      case Leaf.EWB:
        return this.#ewb(cpu, call);
      case Leaf.ELDB:
      case Leaf.ELDU:
      case Leaf.ELDBC:
      case Leaf.ELDUC:
        return this.#load(leaf, cpu, call);
      default:
        return null;
    }
  }

  #ewb(cpu: number, call: Maker): Call {
    const { hardware: h } = this;
    const page = this.#dice.chance(70) ? this.#blocked() : this.#any();
    const va = this.#pick(PageType.VA);
    const slot = this.#dice.chance(98) ? this.#dice.below(SLOTS) : 512;
    const run = () => {
      const blob = newBlob();
      const result = h.ewb(cpu, page, va, slot, blob);
      if (result === 0 || result === 12) this.#blobs.set(h.versionIn(va, slot), blob);
      return result;
    };
    return call(page, run, NONE, va);
  }
  #load(leaf: LeafId, cpu: number, call: Maker): Call {
    const { hardware: h } = this;
    const target = this.#pick(FREE);
    const va = this.#pick(PageType.VA);
    const slot = this.#occupied(va);
    const blob = this.#blobs.get(h.versionIn(va, slot)) ?? newBlob();
    const type = blob.secinfo >> TYPE_SHIFT;
    const isImage = type === PageType.SECS || type === PageType.VA;
    const secs = isImage && this.#dice.chance(95) ? NONE : this.#secsOf(blob.enclaveId);
    const given = this.#dice.chance(4) ? { ...blob, linearPage: blob.linearPage + 1 } : blob;
    const run = () => {
      if (leaf === Leaf.ELDB) return h.eldb(cpu, target, secs, va, slot, given);
      if (leaf === Leaf.ELDU) return h.eldu(cpu, target, secs, va, slot, given);
      if (leaf === Leaf.ELDBC) return h.eldbc(cpu, target, secs, va, slot, given);
      return h.elduc(cpu, target, secs, va, slot, given);
    };
    return call(target, run, secs, va);
  }

  #others(leaf: LeafId, cpu: number, call: Maker): Call {
    const { hardware: h } = this;
    const dice = this.#dice;
    const child = this.#child();
    const any = this.#any();
    const owner = dice.chance(90) ? this.#ownerOf(child) : this.#pick(PageType.SECS);
    switch (leaf) {
      case Leaf.EMODPR: {
        const secinfo = dice.of([R, R, R | W, R | X, W, PENDING]);
        return call(child, () => h.emodpr(cpu, child, secinfo));
      }
      case Leaf.EMODT: {
        const secinfo = dice.of([TRIM, TRIM, TRIM, TCS, REG_RW]);
        return call(child, () => h.emodt(cpu, child, secinfo));
      }
      case Leaf.EDBGRD: {
        const offset = dice.below(20) * 8;
        return call(any, () => h.edbgrd(cpu, any, offset, { value: 0n }));
      }
      case Leaf.EDBGWR: {
        const offset = dice.of([8, 8, 16, 4]);
        return call(any, () => h.edbgwr(cpu, any, offset, 0n));
      }
      case Leaf.ERDINFO:
        return call(any, () => h.erdinfo(cpu, any, { status: 0, flags: 0, blocked: false, context: 0 }));
      case Leaf.EUPDATESVN:
        return call(NONE, () => h.eupdatesvn(cpu));
      case Leaf.EINCVIRTCHILD:
        return call(child, () => h.eincvirtchild(cpu, child, owner), owner);
      case Leaf.EDECVIRTCHILD:
        return call(child, () => h.edecvirtchild(cpu, child, owner), owner);
      case Leaf.ESETCONTEXT: {
        const secs = this.#pick(PageType.SECS);
        return call(secs, () => h.esetcontext(cpu, secs, 77));
      }
      default:
        return this.#inside(leaf, cpu, call);
    }
  }

  #inside(leaf: LeafId, cpu: number, call: Maker): Call {
    const { hardware: h } = this;
    const dice = this.#dice;
    const page = this.#own(cpu, leaf === Leaf.EMODPE);
    const { linearPage, flags, type } = this.#entry(page);
    const there = dice.chance(97) ? linearPage : linearPage + 1;
    const tcs = this.#pick(PageType.TCS);
    const tcsPage = dice.chance(97) ? this.#entry(tcs).linearPage : BASE;
    switch (leaf) {
      case Leaf.EACCEPT: {
        const wanted = dice.chance(90)
          ? typed(type, flags)
          : dice.of([REG | R | PR, TRIM | MODIFIED, REG_RW]);
        return call(page, () => h.eaccept(cpu, page, there, wanted));
      }
      case Leaf.EMODPE: {
        const secinfo = dice.of([R, R | W, X, W]);
        return call(page, () => h.emodpe(cpu, page, there, secinfo));
      }
      case Leaf.EACCEPTCOPY: {
        const source = this.#own(cpu, true);
        const from = this.#entry(source).linearPage;
        const secinfo = dice.of([REG_RW, REG | R | X, REG | W]);
        return call(page, () => h.eacceptcopy(cpu, page, there, source, from, secinfo));
      }
      case Leaf.EENTER:
        return call(tcs, () => h.eenter(cpu, tcs, tcsPage));
      case Leaf.ERESUME:
        return call(tcs, () => h.eresume(cpu, tcs, tcsPage));
      case Leaf.EEXIT:
        return call(NONE, () => h.eexit(cpu));
      case Leaf.EDECCSSA:
        return call(NONE, () => h.edeccssa(cpu));
      case Leaf.AEX:
        return call(NONE, () => (h.aex(cpu) ? 0 : 1));
      default:
        throw new Error(`no operands for ${leafNames[leaf]}`);
    }
  }

  /** A page of the type, now and then any other operand. */
  #pick(type: number): number {
    const dice = this.#dice;
    const luck = dice.below(100);
    if (luck < 2) return dice.of(ODD_OPERANDS);
    const start = dice.below(PAGES);
    if (luck < 7) return start;
    this.#refresh();
    return this.#search(start, (page) => this.#types[page] === type);
  }
  #child(): number {
    const type = this.#dice.of([PageType.REG, PageType.REG, PageType.REG, PageType.TCS, PageType.TRIM]);
    return this.#pick(type);
  }
  #any(): number {
    return this.#dice.chance(3) ? this.#dice.of(ODD_OPERANDS) : this.#dice.below(PAGES);
  }
  #blocked(): number {
    return this.#search(this.#dice.below(PAGES), (page) => this.#entry(page).blocked);
  }
  /** A page of the enclave that the processor is in: an ordinary one, or one with something to accept. */
  #own(cpu: number, isOrdinary: boolean): number {
    const secs = this.hardware.insideOf(cpu);
    if (this.#dice.chance(10)) return this.#pick(PageType.REG);
    const isWanted = (page: number) => {
      const { type, flags, blocked, secs: owner } = this.#entry(page);
      const isWaiting = (flags & (PENDING | MODIFIED | PR)) !== 0;
      if (owner !== secs || blocked) return false;
      return isOrdinary ? type === PageType.REG && !isWaiting : isWaiting;
    };
    return this.#search(this.#dice.below(PAGES), isWanted);
  }
  #ownerOf(page: number): number {
    return this.#entry(page).secs;
  }
  #secsOf(enclaveId: number): number {
    this.#refresh();
    if (this.#dice.chance(5)) return this.#pick(PageType.SECS);
    const isIt = (page: number) =>
      this.#types[page] === PageType.SECS && this.hardware.enclave(page).enclaveId === enclaveId;
    return this.#search(0, isIt);
  }
  #occupied(va: number): number {
    const start = this.#dice.below(SLOTS);
    for (let slot = 0; slot < SLOTS; slot++) {
      const at = (start + slot) % SLOTS;
      if (this.hardware.isValid(va) && this.hardware.versionIn(va, at) !== 0) return at;
    }
    return start;
  }
  #search(start: number, isWanted: (page: number) => boolean): number {
    for (let step = 0; step < PAGES; step++) {
      const page = (start + step) % PAGES;
      if (isWanted(page)) return page;
    }
    return start;
  }
  #entry(page: number) {
    return this.hardware.entry(page);
  }
  #find(linearPage: number): number {
    return this.#search(
      0,
      (page) => this.#types[page] === PageType.REG && this.#entry(page).linearPage === linearPage,
    );
  }
  #refresh(): void {
    const { hardware } = this;
    if (hardware.changes === this.#knownChanges) return;
    for (let page = 0; page < PAGES; page++) {
      this.#types[page] = hardware.isValid(page) ? hardware.entry(page).type : FREE;
    }
    this.#knownChanges = hardware.changes;
  }
}

type Maker = (page: number, run: () => number, secs?: number, va?: number) => Call;

/** Fields of a TCS whose two save state frames are at linear page BASE + 2 × index. */
function threadAt(index: number) {
  return {
    state: 0n,
    flags: 0n,
    saveArea: BigInt(index * 2) * 4096n,
    frame: 0,
    frameCount: 2,
    entry: 0n,
    exitPointer: 0n,
    fsBase: 0n,
    gsBase: 0n,
    fsLimit: 0xfff,
    gsLimit: 0xfff,
    previousShadowStack: 0n,
    isReservedZero: true,
  };
}

const WEIGHTS: Partial<Record<keyof typeof Leaf, number>> = {
  ECREATE: 3,
  EADD: 10,
  EINIT: 3,
  EBLOCK: 8,
  ETRACK: 5,
  EWB: 9,
  ELDU: 5,
  ELDB: 3,
  EAUG: 4,
  EMODPR: 3,
  EMODT: 3,
  EACCEPT: 9,
  EACCEPTCOPY: 3,
  EENTER: 8,
  ERESUME: 5,
  EEXIT: 3,
  AEX: 4,
  EREMOVE: 4,
  EDECCSSA: 3,
};
/** Leaves that are worth trying inside an enclave only. */
const BY_ENCLAVE: readonly LeafId[] = [Leaf.EACCEPT, Leaf.EMODPE, Leaf.EACCEPTCOPY];
const WEIGHTED: readonly LeafId[] = Object.entries(Leaf).flatMap(([name, leaf]) =>
  new Array<LeafId>(WEIGHTS[name as keyof typeof Leaf] ?? 2).fill(leaf),
);
