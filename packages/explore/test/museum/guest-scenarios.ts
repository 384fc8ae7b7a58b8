import type { Routine, SgxHardware } from '@epckit/interface';
import { InvariantViolation, NONE, PageType } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { EvictionId } from '@epckit/vepc';
import { Eviction, GuestState } from '@epckit/vepc';
import { sourceOf } from '../../../vepc/test/oversub/guest.js';
import type { GuestStackOptions } from '../../../vepc/test/oversub/guest-stack.js';
import type { Cell, Step } from '../../../vepc/test/oversub/program.js';
import { building, Program } from '../../../vepc/test/oversub/program.js';
import type { Case, Mark, World } from '../../src/index.js';
import type { VmThread } from './guest-vms.js';

/** Pages of the guest's enclave, as `building` makes them: SECS and thread in one section, the rest in the other. */
export const SECS: Cell = { section: 0, page: 0 };
const THREAD: Cell = { section: 0, page: 1 };
export const VERSIONS: Cell = { section: 1, page: 0 };
export const DATA: Cell = { section: 1, page: 1 };
export const MORE: Cell = { section: 1, page: 2 };

/** SECS and one child, in different sections. */
export const small: readonly Step[] = [building[1], building[3]] as Step[];
/** SECS and two children in the other section. */
export const twins: readonly Step[] = [building[1], building[3], building[4]] as Step[];

/** The guest reads a child; what it sees on a bare machine. */
export const readData: Step = { do: 'read', at: DATA, secs: SECS, linear: 1 };
export const readMore: Step = { do: 'read', at: MORE, secs: SECS, linear: 2 };
export const DATA_SEEN = 'read 0: 2 3 false 102';
export const MORE_SEEN = 'read 0: 2 3 false 103';

/** What a scenario is set up with. Defaults: one virtual CPU, one more CPU for the host, the whole enclave. */
export interface SceneOptions extends Omit<GuestStackOptions, 'cpus'> {
  /** CPUs that may be in the guest, from 0. */
  readonly vcpus?: number;
  /** CPUs for the host alone. */
  readonly hosts?: number;
  /** What the guest has done before. */
  readonly built?: readonly Step[];
  /** What the host has evicted then. */
  readonly evicted?: readonly Cell[];
  /** What the guest has done after that. */
  readonly filled?: readonly Step[];
}

/** One guest with its host, and what its threads have seen. */
export class GuestScene {
  readonly program: Program;
  readonly mark: Mark;
  /** What the guest was told, per virtual CPU. */
  readonly told: string[][] = [];
  /** What became of the pages that were to be evicted. */
  readonly evictions: EvictionId[] = [];
  /** Writes of the host or the guest into what is no version array. */
  readonly wrongWrites: string[] = [];
  /** Have the sections been given back by one of the threads? */
  hasEnded = false;
  readonly #vcpus: number;
  #told = 0;

  constructor(options: SceneOptions, mark: Mark) {
    const { vcpus = 1, hosts = 1, built = building, evicted = [], filled = [], ...rest } = options;
    this.mark = mark;
    this.#vcpus = vcpus;
    const leaves = (real: SgxHardware) => ({ ...rest.leaves?.(real), ewb: this.#watchedWrite(real) });
    const size = { batchPages: 1, epcPages: 12, ...rest, cpus: vcpus + hosts - 1 };
    this.program = new Program({ ...size, leaves, checking: true });
    const { stack } = this.program;
    for (let cpu = vcpus; cpu < vcpus + hosts - 1; cpu++) stack.mm.unload(cpu);
    for (const it of built) this.#require(this.program.step(it).endsWith(' 0'), it.do);
    for (const cell of evicted)
      this.#require(stack.evict(this.program.at(cell)) === Eviction.EVICTED, 'evict');
    for (const it of filled) this.#require(this.program.step(it).endsWith(' 0'), it.do);
    this.#watchConflicts();
  }

  get stack(): Program['stack'] {
    return this.program.stack;
  }

  thread(cpu: number): MachineThread {
    return this.stack.thread(cpu);
  }

  /** A virtual CPU goes into the enclave and stays there until it is interrupted, before the threads start. */
  enter(cpu: number): void {
    this.#require(this.stack.run(this.entering(cpu), cpu) === 0, 'eenter');
  }

  /** The routine of {@link enter}. */
  entering(cpu: number): Routine<number> {
    const { program } = this;
    return program.guest.eenter(this.thread(cpu), program.at(THREAD), sourceOf(0).basePage);
  }

  /** What the virtual CPU `cpu` does. */
  guest(cpu: number, ...steps: readonly Step[]): VmThread {
    const { program } = this;
    const told: string[] = [];
    this.told[cpu] = told;
    const thread = this.thread(cpu);
    const routine = function* (): Routine<void> {
      for (const it of steps) told.push(`${it.do} ${yield* program.run(thread, it)}`);
    };
    return { cpu, routine: routine() };
  }

  /** A CPU of the host, from 0, evicts pages one after the other. */
  evictor(host: number, ...cells: readonly Cell[]): VmThread {
    const { stack, program, evictions } = this;
    const cpu = this.#vcpus + host;
    const thread = this.thread(cpu);
    const routine = function* (): Routine<void> {
      for (const cell of cells) evictions.push(yield* stack.oversub.evict(thread, program.at(cell)));
    };
    return { cpu, routine: routine() };
  }

  /** A CPU of the host runs batches of so many pages that are first on the list, young or not. */
  reclaimer(host: number, maxPages: number, turns = 1): VmThread {
    const { reclaimer } = this.stack;
    return this.host(host, function* (thread) {
      for (let turn = 0; turn < turns; turn++) {
        yield* reclaimer.batch(thread, { target: 0, maxPages, isAgeIgnored: true, lookedAt: 0, evicted: 0 });
      }
    });
  }

  /** A CPU of the host does something else. */
  host(host: number, routine: (thread: MachineThread) => Routine<unknown>): VmThread {
    const cpu = this.#vcpus + host;
    return { cpu, routine: routine(this.thread(cpu)) };
  }

  /** The virtual CPUs stop, and the VM is destroyed. */
  end(): void {
    for (let cpu = 0; cpu < this.#vcpus; cpu++) {
      if (this.stack.hardware.insideOf(cpu) !== NONE) this.stack.hardware.aex(cpu);
    }
    this.stack.end();
  }

  /** A SECS whose children were given back last is a zombie until anything else is closed. */
  closeAnother(): void {
    const { driver } = this.stack;
    if (driver.zombies.all().length === 0) return;
    this.mark('zombie');
    const another = driver.open(1);
    if (another !== null) this.stack.run(driver.release(this.thread(0), another));
  }

  /** States of SECS, thread, and data pages. */
  get state(): string {
    return [SECS, THREAD, DATA, MORE].map((cell) => this.stack.state(this.program.at(cell))).join('');
  }

  /**
   * Marks what was going on when a virtual CPU had executed an instruction: a search that never meets the host at work
   * proves nothing. To be called after each step.
   */
  watch(): void {
    const [first, second] = this.program.sections.map((vepc) => this.stack.oversub.instance(vepc.id));
    if (first === undefined || second === undefined) return;
    const isAway = [SECS, THREAD, DATA, MORE].some((cell) => {
      return (cell.section === 0 ? first : second).records.state(cell.page) === GuestState.ZAPPED;
    });
    if (isAway && second.isDead) this.mark('dead while a page is blocked');
    const told = this.told.reduce((sum, each) => sum + each.length, 0);
    if (told === this.#told) return;
    this.#told = told;
    if (isAway) this.mark('instruction while a page is blocked');
    if (first.records.pins(SECS.page) > 0) this.mark('instruction while the SECS is pinned');
  }

  /** EWB that notes when the version array has been given back. */
  #watchedWrite(real: SgxHardware): SgxHardware['ewb'] {
    return (cpu, page, array, slot, blob) => {
      const { hardware } = this.program.stack;
      const isArray = hardware.isValid(array) && hardware.entry(array).type === PageType.VA;
      if (!isArray) this.wrongWrites.push(`EWB into page ${array}, which is no version array`);
      return real.ewb(cpu, page, array, slot, blob);
    };
  }

  /** Marks exits because of conflicts, by code and by what became of them. */
  #watchConflicts(): void {
    const { conflicts } = this.stack.oversub;
    const { mark } = this;
    const handle = conflicts.handle.bind(conflicts);
    conflicts.handle = function* (...parts: Parameters<typeof handle>): ReturnType<typeof handle> {
      const result = yield* handle(...parts);
      mark(`exit ${(parts[2].exit >> 8) & 3} ${result < 0 ? 'repeated' : 'delivered'}`);
      return result;
    };
  }

  #require(isRight: boolean, what: string): void {
    if (!isRight) throw new Error(`The scene cannot be set: ${what}.`);
  }
}

/** What runs in a scenario, and how it is judged. */
export interface Played {
  readonly threads: readonly VmThread[];
  /** What is wrong besides the invariants, when all threads have ended. */
  wrong?(): readonly string[];
  /** Digest of the final state. */
  state?(): string;
  /** Was the place reached that the scenario is about? */
  reached?(): boolean;
  /** What is wrong after the end of the VM. */
  after?(): readonly string[];
}

/** What is not as expected. */
export function unless(isRight: boolean, what: string): readonly string[] {
  return isRight ? [] : [what];
}

/** What a virtual CPU has seen besides what it would see on a bare machine. */
export function seen(scene: GuestScene, cpu: number, ...expected: readonly string[]): readonly string[] {
  const told = (scene.told[cpu] ?? []).join('; ');
  return unless(told === expected.join('; '), `virtual CPU ${cpu}: ${told}`);
}

/** A world of {@link scenario}. */
export interface GuestWorld extends World {
  /** To be called after each step. */
  watch(): void;
}

/** A scenario as something to search. In the end the VM is destroyed, and every page must be free. */
export function scenario(name: string, options: SceneOptions, play: (scene: GuestScene) => Played): Case {
  return {
    name,
    setup: (mark): GuestWorld => {
      const scene = new GuestScene(options, mark);
      const { stack } = scene;
      const { threads, wrong, state, reached, after } = play(scene);
      for (const { cpu, routine } of threads) stack.machine.start(scene.thread(cpu), routine);
      stack.machine.overlaps = stack.hardware.overlaps;
      let digest = '';
      return {
        machine: stack.machine,
        state: () => digest,
        watch: () => scene.watch(),
        checkStep: () => stack.checkStep(),
        ...(reached === undefined ? {} : { reached }),
        check: () => {
          stack.machine.overlaps = null;
          digest = state?.() ?? scene.state;
          const found = [...stack.violations(), ...(wrong?.() ?? []), ...scene.wrongWrites];
          if (!scene.hasEnded) scene.end();
          scene.closeAnother();
          found.push(...stack.violations(), ...(after?.() ?? []));
          const { free } = stack.pools;
          if (free !== stack.frames.pageCount) found.push(`${free} pages are free in the end`);
          if (found.length > 0) throw new InvariantViolation(found[0] as string, found);
        },
      };
    },
  };
}
