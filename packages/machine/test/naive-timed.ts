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
  readonly actions: readonly Action[];
}

/** One event of a run: time, thread, index of its action. */
export type Event = readonly [number, number, number];

/** Costs of a run. */
export interface NaiveCosts {
  readonly lock: number;
  readonly wakeUp: number;
  readonly contextSwitch: number;
}

interface Task {
  readonly id: number;
  readonly program: Program;
  at: number;
  time: number;
  state: 'ready' | 'waiting' | 'asleep' | 'awake' | 'ended';
}

interface Mutex {
  holder: Task | null;
  readonly queue: Task[];
}

interface Cpu {
  readonly id: number;
  time: number;
  current: Task | null;
}

/**
 * The timed world written the obvious way: one action at a time, always that of the earliest CPU. There is no
 * look-ahead, no limit and no generator.
 */
export class NaiveTimed {
  readonly log: Event[] = [];
  readonly #costs: NaiveCosts;
  readonly #tasks: Task[];
  readonly #cpus: Cpu[];
  readonly #mutexes: Mutex[] = [0, 1].map(() => ({ holder: null, queue: [] }));
  readonly #freeAt = [0, 0];

  constructor(programs: readonly Program[], cpuCount: number, costs: NaiveCosts) {
    this.#costs = costs;
    this.#tasks = programs.map((program, id) => ({ id, program, at: -1, time: 0, state: 'ready' }));
    this.#cpus = Array.from({ length: cpuCount }, (_, id) => ({ id, time: 0, current: null }));
  }

  /** Runs all programs. @returns true if all of them ended */
  run(): boolean {
    for (;;) {
      const event = this.#earliest();
      if (event === undefined) break;
      const { cpu, task } = event;
      if (cpu.current === task) this.#act(task);
      else this.#switch(cpu, task);
      cpu.time = task.time;
    }
    return this.#tasks.every(({ state }) => state === 'ended');
  }

  /** Clocks of the threads at the end. */
  get clocks(): number[] {
    return this.#tasks.map(({ time }) => time);
  }

  #earliest(): { readonly cpu: Cpu; readonly task: Task } | undefined {
    const events = this.#cpus.flatMap((cpu) =>
      this.#tasks
        .filter((task) => task.program.cpu === cpu.id && this.#canRun(task))
        .map((task) => ({ cpu, task, time: Math.max(cpu.time, task.time), isOther: task !== cpu.current })),
    );
    events.sort(
      (a, b) =>
        a.time - b.time ||
        a.cpu.id - b.cpu.id ||
        Number(a.isOther) - Number(b.isOther) ||
        a.task.id - b.task.id,
    );
    return events[0];
  }

  #canRun({ state }: Task): boolean {
    return state === 'ready' || state === 'awake';
  }

  #switch(cpu: Cpu, task: Task): void {
    task.time = Math.max(cpu.time, task.time) + (cpu.current === null ? 0 : this.#costs.contextSwitch);
    cpu.current = task;
  }

  #act(task: Task): void {
    const action: Action = task.program.actions[task.at] ?? { do: 'start' };
    if (action.do === 'lock' && !this.#takes(task, action.lock)) return;
    if (action.do === 'sleep' && task.state !== 'awake') {
      task.state = 'asleep';
      return;
    }
    task.state = 'ready';
    if (action.do === 'section') this.#enter(task, action.lock);
    if (action.do !== 'start') this.log.push([task.time, task.id, task.at]);
    if (action.do === 'section') this.#leave(task, action);
    if (action.do === 'wake') this.#wake(task);
    this.#advance(task);
  }

  /** Goes to the next point: gives locks back and pays for what comes before the next action. */
  #advance(task: Task): void {
    for (;;) {
      const next = task.program.actions[++task.at];
      if (next === undefined) task.state = 'ended';
      else if (next.do === 'unlock') {
        this.#unlock(task, next.lock);
        continue;
      } else if (next.do === 'compute') task.time += next.cycles;
      else if (next.do === 'lock' || next.do === 'section') task.time += this.#costs.lock;
      return;
    }
  }

  #takes(task: Task, lock: number): boolean {
    const mutex = this.#mutexes[lock] as Mutex;
    if (mutex.holder !== null || (mutex.queue[0] ?? task) !== task) {
      mutex.queue.push(task);
      task.state = 'waiting';
      return false;
    }
    if (mutex.queue[0] === task) mutex.queue.shift();
    mutex.holder = task;
    return true;
  }

  #unlock(task: Task, lock: number): void {
    const mutex = this.#mutexes[lock] as Mutex;
    mutex.holder = null;
    const next = mutex.queue[0];
    if (next === undefined) return;
    next.state = 'ready';
    next.time = Math.max(next.time, task.time);
  }

  #enter(task: Task, lock: number): void {
    task.time = Math.max(task.time, this.#freeAt[lock] as number);
  }

  #leave(task: Task, { lock, cycles }: { readonly lock: number; readonly cycles: number }): void {
    task.time += cycles;
    this.#freeAt[lock] = task.time;
  }

  #wake(waker: Task): void {
    for (const task of this.#tasks) {
      if (task.state !== 'asleep') continue;
      task.state = 'awake';
      task.time = Math.max(task.time, waker.time) + this.#costs.wakeUp;
    }
  }
}
