import type {
  CostKey,
  CostTable,
  CpuId,
  LeafOverlaps,
  LockFactory,
  Mutex,
  NodeId,
  Probe,
  RefCount,
  Routine,
  RwLock,
  Schedule,
  SharedNumber,
  SpinLock,
  Srcu,
  WaitQueue,
} from '@epckit/interface';
import { COST_COUNT, Cost, MisuseError } from '@epckit/interface';
import { Checking } from './checking.js';
import { createCostTable } from './cost-table.js';
import type { Interposer } from './direct.js';
import { DirectDriver } from './direct.js';
import type { ExecutionOptions, ExecutionResult } from './explored.js';
import { ExploredDriver } from './explored.js';
import type { InterruptHandler } from './ipi.js';
import { Ipi } from './ipi.js';
import { LockOrder } from './lock-order.js';
import type { LockStatistics } from './lock-statistics.js';
import { LockCounts } from './lock-statistics.js';
import { ModelMutex } from './mutex.js';
import { Objects } from './objects.js';
import { Progress } from './progress.js';
import { ModelRwLock } from './rw-lock.js';
import { ModelRefCount, ModelSharedNumber } from './shared-number.js';
import { ModelSpinLock } from './spin-lock.js';
import { ModelSrcu } from './srcu.js';
import type { ThreadOptions } from './thread.js';
import { MachineThread } from './thread.js';
import type { SchedulerCounts, TimedOptions } from './timed.js';
import { TimedDriver } from './timed.js';
import type { CpuTime, SwitchHandler } from './timed-cpu.js';
import { ModelWaitQueue } from './wait-queue.js';
import type { WorkQueue } from './work-queue.js';
import { ModelWorkQueue } from './work-queue.js';
import type { Shared, World } from './world.js';

/** What a machine is made of. */
export interface MachineOptions {
  /** Node of each CPU; index = CPU. */
  readonly cpus: readonly {
    /** NUMA node of the CPU. */
    readonly node: NodeId;
  }[];
  /** Cycles per operation. Default: typical values of the client table. */
  readonly costs?: CostTable;
  /** Checking mode: needed by the explored world, slow elsewhere. Default: off. */
  readonly checking?: boolean;
  /** Listener of trace points, or null (default). */
  readonly probe?: Probe | null;
  /** How the timed world runs. */
  readonly timed?: TimedOptions;
  /** The machine is a guest without IPI virtualisation: a target of an IPI costs `IPI_GUEST`. Default: off. */
  readonly hasTrappedIpis?: boolean;
}

/** When kernel threads run in the direct world. */
export type KernelThreadPolicy = 'atReturnToUser' | 'whenTold';

/**
 * CPUs, threads, locks and the three drivers. A machine belongs to one stack; there is no global state.
 */
export class Machine implements LockFactory {
  /** Object numbers for ops and cells. */
  readonly objects = new Objects();
  /** Order in which lock classes are nested. */
  readonly lockOrder = new LockOrder();
  /** Checking mode, or null. */
  readonly checking: Checking | null;
  /** Cycles per operation. */
  readonly costs: CostTable;
  /** Number of CPUs. */
  readonly cpuCount: number;
  /** When kernel threads run in the direct world. */
  kernelThreadPolicy: KernelThreadPolicy = 'atReturnToUser';
  /** Counts changes of shared state; composition sets it, so that runaway loops are told from long ones. */
  changes: () => number = () => 0;
  /** Announced leaves of the hardware; composition sets it where leaves may overlap in the explored world. */
  overlaps: LeafOverlaps | null = null;

  readonly #nodes: readonly NodeId[];
  readonly #threads: MachineThread[] = [];
  readonly #kernelThreads: MachineThread[] = [];
  readonly #hasTrappedIpis: boolean;
  /** Cycles that each CPU has spent, by cost key. */
  readonly #spent: readonly Float64Array[];
  readonly #lockCounts = new Map<string, LockCounts>();
  readonly #shared: Shared;
  readonly #progress: Progress;
  /** Object that stands for the order in which threads are made. */
  readonly #numbering: number;
  readonly #direct: DirectDriver;
  readonly #timed: TimedDriver;
  readonly #explored: ExploredDriver;

  constructor(options: MachineOptions) {
    if (options.cpus.length === 0) throw new MisuseError('A machine needs at least one CPU.');
    this.#nodes = options.cpus.map((cpu) => cpu.node);
    this.cpuCount = options.cpus.length;
    this.costs = options.costs ?? createCostTable();
    this.#spent = this.#nodes.map(() => new Float64Array(COST_COUNT));
    this.#hasTrappedIpis = options.hasTrappedIpis ?? false;
    this.#progress = new Progress(this.objects.range('change', 1));
    this.#numbering = this.objects.range('thread numbers', 1);
    this.checking = options.checking === true ? new Checking(this.objects, this.#progress) : null;
    this.#shared = this.#createShared(options.probe ?? null);
    this.#direct = new DirectDriver(
      this.#shared,
      () => this.#kernelThreads,
      () => this.changes(),
    );
    this.#timed = new TimedDriver(this.#shared, this.costs, this.#spent, options.timed ?? {});
    this.#explored = new ExploredDriver(
      this.#shared,
      () => this.#threads,
      () => this.overlaps,
    );
  }

  /** How the machine is driven at the moment. */
  get world(): World {
    return this.#shared.world;
  }

  /** Thread that the driver of the timed world has resumed, or null. */
  get running(): MachineThread | null {
    return this.#shared.running;
  }

  /** A work queue whose work `main` of the queue performs. */
  workQueue(name: string): WorkQueue {
    return new ModelWorkQueue(name, this.waitQueue(name), this.#shared);
  }

  /** All threads in order of creation. */
  get threads(): readonly MachineThread[] {
    return this.#threads;
  }

  /** Node of a CPU. */
  nodeOf(cpu: CpuId): NodeId {
    const node = this.#nodes[cpu];
    if (node === undefined)
      throw new MisuseError(`There is no CPU ${cpu}.`, [`CPUs: 0 … ${this.cpuCount - 1}`]);
    return node;
  }

  /** Makes a thread that is bound to a CPU. */
  createThread(options: ThreadOptions): MachineThread {
    this.checking?.numbered(this.#numbering);
    const id = this.#threads.length + 1;
    const signalObject = this.objects.range(`signal of ${options.name}`, 1);
    const host = {
      costs: this.costs,
      progress: this.#progress,
      cpuCycles: this.#spent[options.cpu] ?? new Float64Array(COST_COUNT),
      nodeOf: (cpu: CpuId) => this.nodeOf(cpu),
      signalObject,
    };
    const thread = new MachineThread(id, options, host);
    this.#threads.push(thread);
    if (thread.isKernel) this.#kernelThreads.push(thread);
    return thread;
  }

  /** Gives a thread something to do; a driver runs it. */
  start(thread: MachineThread, routine: Routine<unknown>): void {
    if (thread.routine !== null) throw new MisuseError(`${thread.name} has a routine already.`);
    thread.blockedOn = null;
    thread.announced = 0;
    thread.pending = 0;
    thread.routine = routine;
    if (this.world === 'timed') this.#timed.admit(thread);
  }

  /** Direct world: runs `routine` on `thread` to its end and returns its result. */
  run<T>(thread: MachineThread, routine: Routine<T>): T {
    return this.#direct.run(thread, routine);
  }

  /** Direct world: runs every kernel thread that was woken until it sleeps again. */
  runKernelThreads(): void {
    this.#direct.runKernelThreads();
  }

  /** Direct world: whom runs ask at every point, or null (default): they do not stop. */
  get interposer(): Interposer | null {
    return this.#direct.interposer;
  }
  /** Sets whom runs ask. */
  set interposer(interposer: Interposer | null) {
    this.#direct.interposer = interposer;
  }

  /** A thread returns to user mode. Direct world: kernel threads run now, if that is the policy. */
  returnToUser(): void {
    if (this.world !== 'direct' || this.kernelThreadPolicy !== 'atReturnToUser') return;
    this.#direct.runKernelThreads();
  }

  /** Timed world: runs all started threads until the user threads have ended and the kernel threads sleep. */
  runTimed(): void {
    this.#shared.world = 'timed';
    try {
      this.#timed.run(this.#threads.filter((thread) => thread.routine !== null));
    } finally {
      this.#shared.world = 'direct';
    }
  }

  /** How a CPU has spent its time in the timed world. */
  timeOf(cpu: CpuId): CpuTime {
    this.nodeOf(cpu);
    return this.#timed.timeOf(cpu);
  }

  /** What the locks have seen in the timed world, by class name and in order of their first lock. */
  lockStatistics(): readonly LockStatistics[] {
    return [...this.#lockCounts.values()].map((counts) => counts.snapshot());
  }

  /** What running the timed world has cost so far. */
  get schedulerCounts(): SchedulerCounts {
    return this.#timed.counts;
  }

  /**
   * Timed world: called when a CPU changes from one thread to another, directly before. It may charge the thread
   * that leaves if that was still running (an asynchronous exit), and nobody else.
   */
  get onSwitch(): SwitchHandler | null {
    return this.#timed.onSwitch;
  }
  /** Sets what is called. */
  set onSwitch(handler: SwitchHandler | null) {
    this.#timed.onSwitch = handler;
  }

  /** Thread that has the CPU in the timed world, or null. */
  currentOf(cpu: CpuId): MachineThread | null {
    return this.#timed.currentOf(cpu);
  }

  /**
   * Timed world: whoever is about to look at state of `domain` that a thread touches in spite of a promise
   * (`MachineThread.promiseQuiet`), or to change what it reads, calls this directly after a point or in a spinlock
   * section. Nothing in the other worlds.
   *
   * @throws InvariantViolation without a point before
   */
  catchUp(thread: MachineThread, domain: number): void {
    if (this.#shared.world === 'timed') this.#timed.catchUp(thread, domain);
  }

  /** Explored world: runs all started threads, one step at a time, as `schedule` chooses. */
  runExplored(schedule: Schedule, options: ExecutionOptions): ExecutionResult {
    return this.#explored.run(schedule, options);
  }

  /**
   * An IPI sender whose interrupts call `handler`.
   *
   * @param isTrapped a target costs `IPI_GUEST`: the sender is a guest. Default: as the machine was made
   */
  createIpi(handler: InterruptHandler, probe: Probe | null, isTrapped = this.#hasTrappedIpis): Ipi {
    const interrupt = (cpu: CpuId, routine: (thread: MachineThread) => Routine<void>): MachineThread => {
      const thread = this.createThread({ name: `interrupt on CPU ${cpu}`, cpu, isKernel: true });
      this.start(thread, routine(thread));
      return thread;
    };
    const targetCost = isTrapped ? Cost.IPI_GUEST : Cost.IPI_CPU;
    return new Ipi({ shared: this.#shared, interrupt, timed: this.#timed, targetCost }, handler, probe);
  }

  spinLock(name: string): SpinLock {
    return new ModelSpinLock(name, this.#shared);
  }

  mutex(name: string): Mutex {
    return new ModelMutex(name, this.#shared);
  }

  rwLock(name: string): RwLock {
    return new ModelRwLock(name, this.#shared);
  }

  srcu(name: string): Srcu {
    return new ModelSrcu(name, this.#shared);
  }

  sharedNumber(name: string, initial: number): SharedNumber {
    return new ModelSharedNumber(name, initial, this.#shared);
  }

  refCount(name: string, initial: number): RefCount {
    return new ModelRefCount(name, initial, this.#shared);
  }

  waitQueue(name: string): WaitQueue {
    return new ModelWaitQueue(name, this.#shared);
  }

  #createShared(probe: Probe | null): Shared {
    return {
      objects: this.objects,
      lockOrder: this.lockOrder,
      progress: this.#progress,
      checking: this.checking,
      probe,
      world: 'direct',
      running: null,
      lockCountsOf: (name) => this.#lockCountsOf(name),
      becameRunnable: (thread, time, key) => this.#becameRunnable(thread, time, key),
    };
  }

  #lockCountsOf(name: string): LockCounts {
    let counts = this.#lockCounts.get(name);
    if (counts === undefined) {
      counts = new LockCounts(name);
      this.#lockCounts.set(name, counts);
    }
    return counts;
  }

  /** A blocked thread can go on: its clock catches up, and the running CPU learns of the event. */
  #becameRunnable(thread: MachineThread, time: number, key: CostKey): void {
    const { world } = this.#shared;
    if (world === 'timed') this.#timed.wake(thread, time, key);
    if (world !== 'direct') return;
    thread.waitUntil(time, key);
    if (thread.blockedOn?.isIdle === true) thread.spend(Cost.WAKEUP);
  }
}

/** Makes a machine. */
export function createMachine(options: MachineOptions): Machine {
  return new Machine(options);
}
