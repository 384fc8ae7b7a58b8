/** What a thread of a random program does next. */
export type Action =
  | { readonly do: 'start' }
  | { readonly do: 'compute'; readonly cycles: number }
  | { readonly do: 'lock' | 'unlock'; readonly lock: number }
  | { readonly do: 'section'; readonly lock: number; readonly cycles: number }
  | { readonly do: 'sleep' | 'wake' };

/** A thread of a random program. */
export interface Program {
  readonly cpu: number;
  readonly isKernel: boolean;
  readonly actions: readonly Action[];
}

/** One event of a run: time, thread, index of its action. */
export type Event = readonly [number, number, number];

/** Costs of a run. */
export interface NaiveCosts {
  readonly lock: number;
  readonly transfer: number;
  readonly wakeUp: number;
  readonly contextSwitch: number;
  readonly slice: number;
}

interface Task {
  readonly id: number;
  readonly program: Program;
  at: number;
  time: number;
  readyAt: number;
  hasSlept: boolean;
  isWoken: boolean;
  sliceLeft: number;
  mutexes: number;
  state: 'ready' | 'waiting' | 'spinning' | 'asleep' | 'awake' | 'ended';
}

interface Lock {
  holder: Task | null;
  readonly queue: Task[];
  lastCpu: number;
  freeAt: number;
  waited: number;
}

interface Cpu {
  readonly id: number;
  readonly queue: Task[];
  time: number;
  current: Task | null;
  last: Task | null;
  sliceEnd: number;
}

const createLock = (): Lock => ({ holder: null, queue: [], lastCpu: -1, freeAt: 0, waited: 0 });

/**
 * The timed world written the obvious way: one action at a time, always that of the earliest CPU. There is no
 * limit, no promise and no generator.
 */
export class NaiveTimed {
  readonly log: Event[] = [];
  readonly #costs: NaiveCosts;
  readonly #tasks: Task[];
  readonly #cpus: Cpu[];
  readonly #mutexes = [createLock(), createLock()];
  readonly #spinLocks = [createLock(), createLock()];

  constructor(programs: readonly Program[], cpuCount: number, costs: NaiveCosts) {
    this.#costs = costs;
    this.#tasks = programs.map((program, id) => {
      const numbers = { at: -1, time: 0, readyAt: 0, sliceLeft: 0, mutexes: 0 };
      return { id, program, ...numbers, hasSlept: false, isWoken: false, state: 'ready' };
    });
    this.#cpus = Array.from({ length: cpuCount }, (_, id) => {
      return { id, queue: [], time: 0, current: null, last: null, sliceEnd: 0 };
    });
    for (const task of this.#tasks) this.#makeReady(task, 0);
  }

  /** Runs all programs. @returns true if those of user threads ended */
  run(): boolean {
    for (;;) {
      const cpu = this.#earliest();
      if (cpu === undefined) break;
      const task = cpu.current;
      if (task === null || (task.state === 'ready' && isReplaced(task, cpu))) this.#switch(cpu);
      else this.#act(cpu, task);
    }
    return this.#tasks.every(({ state, program }) => state === 'ended' || program.isKernel);
  }

  /** Clocks of the threads at the end. */
  get clocks(): number[] {
    return this.#tasks.map(({ time }) => time);
  }

  /** Cycles that threads have waited for locks. */
  get waited(): number {
    return [...this.#mutexes, ...this.#spinLocks].reduce((sum, lock) => sum + lock.waited, 0);
  }

  #earliest(): Cpu | undefined {
    const due = this.#cpus.map((cpu) => ({ cpu, time: this.#timeOf(cpu) }));
    due.sort((a, b) => a.time - b.time || a.cpu.id - b.cpu.id);
    const [first] = due;
    return first === undefined || first.time === Number.POSITIVE_INFINITY ? undefined : first.cpu;
  }

  #timeOf(cpu: Cpu): number {
    const { current, queue } = cpu;
    if (current === null) {
      const [first] = queue;
      return first === undefined ? Number.POSITIVE_INFINITY : Math.max(cpu.time, first.readyAt);
    }
    const isBehind = current.state === 'spinning' && this.#spinLockOf(current).queue[0] !== current;
    return isBehind ? Number.POSITIVE_INFINITY : current.time;
  }

  /** A task can go on that had to wait. */
  #awaken(task: Task, time: number): void {
    task.isWoken = true;
    this.#makeReady(task, time);
  }

  #makeReady(task: Task, time: number): void {
    task.time = Math.max(task.time, time);
    task.readyAt = task.time;
    const { queue } = this.#cpus[task.program.cpu] as Cpu;
    queue.push(task);
    queue.sort((a, b) => a.readyAt - b.readyAt || a.id - b.id);
  }

  #switch(cpu: Cpu): void {
    const from = cpu.current;
    const now = Math.max(from?.time ?? cpu.time, cpu.queue[0]?.readyAt as number);
    const able = cpu.queue.filter(({ readyAt }) => readyAt <= now);
    const woken = able.find(({ isWoken }) => isWoken);
    const to = woken ?? able.findLast(({ sliceLeft }) => sliceLeft > 0) ?? (able[0] as Task);
    cpu.queue.splice(cpu.queue.indexOf(to), 1);
    if (from !== null) {
      from.sliceLeft = Math.max(0, cpu.sliceEnd - from.time);
      this.#makeReady(from, from.time);
    }
    const mustLoad = cpu.last !== null && (cpu.last !== to || to.hasSlept);
    to.time = Math.max(cpu.time, to.time) + (mustLoad ? this.#costs.contextSwitch : 0);
    to.hasSlept = false;
    cpu.current = to;
    cpu.last = to;
    cpu.time = to.time;
    cpu.sliceEnd = to.time + (to.sliceLeft > 0 ? to.sliceLeft : this.#costs.slice);
    to.sliceLeft = 0;
    to.isWoken = false;
  }

  #act(cpu: Cpu, task: Task): void {
    this.#perform(task, task.program.actions[task.at] ?? { do: 'start' });
    cpu.time = task.time;
    if (task.state === 'waiting' || task.state === 'asleep' || task.state === 'ended') cpu.current = null;
  }

  #perform(task: Task, action: Action): void {
    if (action.do === 'lock' && !this.#takes(task, this.#mutexes[action.lock] as Lock)) return;
    if (action.do === 'section' && !this.#enters(task)) return;
    if (action.do === 'sleep' && task.state !== 'awake') {
      task.state = 'asleep';
      return;
    }
    task.state = 'ready';
    if (action.do !== 'start') this.log.push([task.time, task.id, task.at]);
    if (action.do === 'section') this.#leave(task, action.cycles);
    if (action.do === 'wake') this.#wake(task);
    this.#advance(task);
  }

  /** Goes to the next point: gives locks back and pays for what comes before the next action. */
  #advance(task: Task): void {
    for (;;) {
      const next = task.program.actions[++task.at];
      if (next === undefined) task.state = 'ended';
      else if (next.do === 'unlock') {
        this.#unlock(task, this.#mutexes[next.lock] as Lock);
        continue;
      } else if (next.do === 'compute') task.time += next.cycles;
      else if (next.do === 'lock' || next.do === 'section') task.time += this.#costs.lock;
      return;
    }
  }

  #takes(task: Task, mutex: Lock): boolean {
    if (mutex.holder !== null || (mutex.queue[0] ?? task) !== task) {
      mutex.queue.push(task);
      task.state = 'waiting';
      task.hasSlept = true;
      return false;
    }
    if (mutex.queue[0] === task) mutex.queue.shift();
    mutex.holder = task;
    task.mutexes++;
    this.#transfer(task, mutex);
    return true;
  }

  #unlock(task: Task, mutex: Lock): void {
    mutex.holder = null;
    task.mutexes--;
    const next = mutex.queue[0];
    if (next === undefined) return;
    next.state = 'awake';
    mutex.waited += Math.max(0, task.time - next.time);
    this.#awaken(next, task.time);
  }

  /** Takes a ticket, and its turn when that has come. */
  #enters(task: Task): boolean {
    const lock = this.#spinLockOf(task);
    if (task.state !== 'spinning') {
      lock.queue.push(task);
      task.state = 'spinning';
      if (lock.queue[0] !== task) return false;
      if (lock.freeAt > task.time) {
        this.#waitUntilFree(task, lock);
        return false;
      }
    }
    this.#transfer(task, lock);
    return true;
  }

  #leave(task: Task, cycles: number): void {
    const lock = this.#spinLockOf(task);
    task.time += cycles;
    lock.freeAt = task.time;
    lock.queue.shift();
    const next = lock.queue[0];
    if (next !== undefined) this.#waitUntilFree(next, lock);
  }

  #waitUntilFree(task: Task, lock: Lock): void {
    lock.waited += Math.max(0, lock.freeAt - task.time);
    task.time = Math.max(task.time, lock.freeAt);
    (this.#cpus[task.program.cpu] as Cpu).time = task.time;
  }

  #transfer(task: Task, lock: Lock): void {
    if (lock.lastCpu >= 0 && lock.lastCpu !== task.program.cpu) task.time += this.#costs.transfer;
    lock.lastCpu = task.program.cpu;
  }

  #spinLockOf(task: Task): Lock {
    const action = task.program.actions[task.at] as Action & { readonly lock: number };
    return this.#spinLocks[action.lock] as Lock;
  }

  #wake(waker: Task): void {
    for (const task of this.#tasks) {
      if (task.state !== 'asleep') continue;
      task.state = 'awake';
      this.#awaken(task, Math.max(task.time, waker.time) + this.#costs.wakeUp);
    }
  }
}

/** Does another task get the CPU: at the end of the slice, or a woken one? */
function isReplaced(task: Task, { queue, sliceEnd }: Cpu): boolean {
  const [first] = queue;
  if (first !== undefined && task.time >= Math.max(sliceEnd, first.readyAt + 1)) return true;
  if (task.program.isKernel || task.mutexes > 0) return false;
  return queue.some(({ isWoken, readyAt }) => isWoken && task.time > readyAt);
}
