import type { Enclave } from '@epckit/enclave';
import { FaultResult } from '@epckit/enclave';
import type { AccessKind, EpcmCheckResult, Routine } from '@epckit/interface';
import { Access, EpcmCheck, errnoNames, MisuseError, NONE, PageType, Prot, SgxCode } from '@epckit/interface';
import type { AccessOutcomeId, AccessRecord } from '../access.js';
import { AccessOutcome, createAccessRecord } from '../access.js';
import type { Epc } from '../create-epc.js';
import type { Process } from '../process.js';
import type { UserCpu } from '../user-cpu.js';
import { dump } from './dump.js';
import type { Names } from './names.js';
import type { Recorder } from './recorder.js';
import type { StepObject } from './step.js';
import { flag, number, text } from './step.js';

/** An access takes at most this many faults. */
const MAX_FAULTS = 3;

const outcomeWords: Readonly<Record<number, string>> = {
  [AccessOutcome.HIT]: 'HIT',
  [AccessOutcome.OK]: 'OK',
  [AccessOutcome.SIGBUS]: 'SIGBUS',
  [AccessOutcome.OOM]: 'OOM',
  [AccessOutcome.MAPERR]: 'MAPERR',
  [AccessOutcome.ACCERR]: 'ACCERR',
  [AccessOutcome.RETRY_LIMIT]: 'RETRY_LIMIT',
};

const faultWords: Readonly<Record<number, string>> = {
  [FaultResult.NOPAGE]: 'NOPAGE',
  [FaultResult.SIGBUS]: 'SIGBUS',
  [FaultResult.OOM]: 'OOM',
  [FaultResult.RETRY]: 'RETRY',
};

/** Outcome and record of an access. */
interface AccessResult extends AccessRecord {
  readonly outcome: AccessOutcomeId;
}

/** Notes for whoever recorded the script: without effect, whatever they say. */
const notes: ReadonlySet<string> = new Set(['relax', 'leak']);

/** Keys of the operations that are supported. */
const supportedKeys: Readonly<Record<string, readonly string[]>> = {
  boot: ['run_ksgxd'],
  ksgxd: ['force'],
  create: ['encl', 'size_pages', 'cpu', 'proc'],
  add: ['encl', 'page', 'count', 'type', 'perms', 'measure', 'cpu', 'proc'],
  init: ['encl', 'cpu', 'proc'],
  map: ['encl', 'page', 'count', 'prot', 'cpu', 'proc'],
  touch: ['encl', 'page', 'write', 'cpu', 'proc'],
  exec: ['encl', 'page', 'cpu', 'proc'],
  enter: ['encl', 'tcs', 'cpu', 'proc'],
  exit: ['encl', 'cpu', 'proc'],
  resume: ['encl', 'cpu', 'proc'],
  release: ['encl', 'cpu', 'proc'],
  dump: ['what'],
};

/** Result of an operation: keys of the step's record. */
export type Played = Record<string, unknown>;

/** Performs the operations of scripts on a stack. */
export class Players {
  readonly #epc: Epc;
  readonly #names: Names;
  readonly #recorder: Recorder;
  readonly #enclaves = new Map<string, Enclave>();
  readonly #processes = new Map<string, Process>();
  /** Process that opened each enclave. */
  readonly #openers = new Map<string, string>();

  constructor(epc: Epc, names: Names, recorder: Recorder) {
    this.#epc = epc;
    this.#names = names;
    this.#recorder = recorder;
  }

  /**
   * What of the step is not supported: its operation, or a key of it; null if all of it is. A key that is not
   * known is never ignored: it would change what the step does.
   */
  unsupported(step: StepObject): string | null {
    if (notes.has(step.op)) return null;
    const keys = supportedKeys[step.op];
    if (keys === undefined) return step.op;
    const unknown = Object.keys(step).find((key) => key !== 'op' && !keys.includes(key));
    return unknown === undefined ? null : `${step.op} with '${unknown}'`;
  }

  /** Performs a step that is supported. */
  play(step: StepObject): Played {
    return (this.#players[step.op] as (step: StepObject) => Played)(step);
  }

  /** Operations by name. */
  readonly #players: Readonly<Record<string, (step: StepObject) => Played>> = {
    boot: (step) => this.#boot(step),
    ksgxd: (step) => this.#ksgxd(step),
    create: (step) => this.#create(step),
    add: (step) => this.#add(step),
    init: (step) => this.#init(step),
    map: (step) => this.#map(step),
    touch: (step) => this.#touch(step, flag(step, 'write') ? Access.WRITE : Access.READ),
    exec: (step) => this.#touch(step, Access.EXECUTE),
    enter: (step) => this.#enter(step),
    exit: (step) => this.#exit(step),
    resume: (step) => this.#resume(step),
    release: (step) => this.#release(step),
    dump: (step) => this.#dump(step),
    relax: () => ({ r: 0 }),
    leak: () => ({ r: 0 }),
  };

  #boot(step: StepObject): Played {
    const { frames } = this.#epc;
    const total = this.#epc.pools.nodes.map((node) => {
      const sections = frames.sections.filter((section) => section.node === node);
      return [node, sections.reduce((sum, section) => sum + section.pageCount, 0)];
    });
    if (step['run_ksgxd'] !== false) this.#epc.boot();
    return { r: 0, sections: frames.sections.length, total };
  }

  #ksgxd(step: StepObject): Played {
    const { ksgxd, machine, reclaimer } = this.#epc;
    if (flag(step, 'force') && !ksgxd.isEnabled) reclaimer.wakeUp(ksgxd, false);
    if (!ksgxd.isEnabled) return { r: 'ASLEEP' };
    machine.runKernelThreads();
    return { r: 'RAN' };
  }

  #create(step: StepObject): Played {
    const name = text(step, 'encl');
    const enclave = this.#enclaves.get(name) ?? this.#open(step, name);
    const pageCount = number(step, 'size_pages', 0);
    const argument = { pageCount, basePage: this.#epc.driver.chooseBasePage(pageCount), attributes: 4 };
    const create = this.#epc.driver.create;
    const result = this.#call(step, name, (cpu) => create.run(cpu.thread, enclave, argument));
    return { r: errnoWord(result) };
  }

  #open(step: StepObject, name: string): Enclave {
    const enclave = this.#epc.driver.open();
    this.#enclaves.set(name, enclave);
    this.#openers.set(name, this.#processName(step, name));
    this.#names.setEnclave(enclave.id, name);
    return enclave;
  }

  #add(step: StepObject): Played {
    const name = text(step, 'encl');
    const isTcs = text(step, 'type', 'REG') === 'TCS';
    const argument = {
      page: number(step, 'page', 0),
      count: number(step, 'count', 1),
      type: isTcs ? PageType.TCS : PageType.REG,
      prot: isTcs ? 0 : protOf(text(step, 'perms', 'rw')),
      isMeasured: flag(step, 'measure'),
    };
    const process = this.#process(step, name);
    const { addPages } = this.#epc.driver;
    const added = this.#call(step, name, (cpu) => {
      return addPages.run(cpu.thread, process.mm, this.#enclave(name), argument);
    });
    return { r: errnoWord(added.result), count: added.count };
  }

  #init(step: StepObject): Played {
    const name = text(step, 'encl');
    const { init } = this.#epc.driver;
    return { r: errnoWord(this.#call(step, name, (cpu) => init.run(cpu.thread, this.#enclave(name), {}))) };
  }

  #map(step: StepObject): Played {
    const name = text(step, 'encl');
    const enclave = this.#enclave(name);
    const start = number(step, 'page', 0);
    const end = start + number(step, 'count', enclave.pageCount - start);
    const argument = { start, end, prot: protOf(text(step, 'prot', 'rw')) };
    const process = this.#process(step, name);
    const { mapper } = this.#epc.driver;
    const result = this.#call(step, name, (cpu) => mapper.map(cpu.thread, process.mm, enclave, argument));
    return { r: errnoWord(result) };
  }

  #touch(step: StepObject, kind: AccessKind): Played {
    const name = text(step, 'encl');
    const page = number(step, 'page', 0);
    const cpu = this.#cpu(step);
    const enclave = this.#enclave(name);
    const result = this.#access(step, cpu, name, page, kind);
    const word = outcomeWords[result.outcome] ?? this.#refusal(enclave, page, result.check);
    return { r: word, ...this.#faults(result, enclave, page) };
  }

  #access(step: StepObject, cpu: UserCpu, name: string, page: number, kind: AccessKind): AccessResult {
    const process = this.#process(step, name);
    const enclave = this.#enclave(name);
    const { accesses, machine } = this.#epc;
    machine.run(cpu.thread, cpu.load(process));
    const record = createAccessRecord();
    const outcome = machine.run(cpu.thread, accesses.access(cpu, enclave, page, kind, MAX_FAULTS, record));
    if (outcome === AccessOutcome.SIGBUS) this.#recorder.signalled('SIGBUS');
    return { outcome, ...record };
  }

  /** Faults of an access, and the EPC page that was reached after them. */
  #faults(result: AccessResult, enclave: Enclave, page: number): Played {
    if (result.faults.length === 0) return {};
    const reached = result.outcome === AccessOutcome.OK || result.outcome === AccessOutcome.EPCM;
    const epc = enclave.records.epc(page);
    return {
      f: result.faults.map((fault) => faultWords[fault]),
      ...(reached && epc !== NONE ? { epc: this.#names.page(epc) } : {}),
    };
  }

  /** Word for an access that the EPCM refuses. */
  #refusal(enclave: Enclave, page: number, check: EpcmCheckResult): string {
    if (check === EpcmCheck.PENDING) return 'PENDING';
    if (check === EpcmCheck.MODIFIED) return 'MODIFIED';
    if (check !== EpcmCheck.TYPE) return 'EPCM_PERM';
    const { type } = this.#epc.hardware.entry(enclave.records.epc(page));
    return type === PageType.TCS ? 'TCS' : 'TRIM';
  }

  #enter(step: StepObject): Played {
    const name = text(step, 'encl');
    const enclave = this.#enclave(name);
    const tcs = number(step, 'tcs', 0);
    const cpu = this.#cpu(step);
    if (cpu.isInside) this.#epc.machine.run(cpu.thread, cpu.exitAsynchronously());
    const result = this.#access(step, cpu, name, tcs, Access.READ);
    const faults = result.faults.length === 0 ? {} : { f: result.faults.map((fault) => faultWords[fault]) };
    if (result.outcome === AccessOutcome.OK || result.outcome === AccessOutcome.HIT)
      return { r: 'NOT_TCS', ...faults };
    if (result.outcome !== AccessOutcome.EPCM) return { r: outcomeWords[result.outcome], ...faults };
    const refusal = this.#refusal(enclave, tcs, result.check);
    if (refusal !== 'TCS') return { r: refusal, ...faults };
    const leaf = this.#epc.machine.run(cpu.thread, cpu.enter(enclave, tcs));
    return { r: leaf === SgxCode.SUCCESS ? 'INSIDE' : 'NOT_INIT', ...faults };
  }

  #exit(step: StepObject): Played {
    const cpu = this.#cpu(step);
    return { r: this.#epc.machine.run(cpu.thread, cpu.exit()) ? 0 : 'NOT_INSIDE' };
  }

  #resume(step: StepObject): Played {
    const cpu = this.#cpu(step);
    if (cpu.entry === null) return { r: 'NOT_INSIDE' };
    const { enclave, tcs } = cpu.entry;
    const name = this.#names.enclave(enclave.id) as string;
    const result = this.#access(step, cpu, name, tcs, Access.READ);
    const isInside = this.#epc.machine.run(cpu.thread, cpu.resume());
    return { r: isInside ? 'INSIDE' : outcomeWords[result.outcome], ...this.#faults(result, enclave, tcs) };
  }

  /** Threads out, unmapped everywhere, all descriptors closed. */
  #release(step: StepObject): Played {
    const name = text(step, 'encl');
    const enclave = this.#enclave(name);
    const { cpus, driver, machine } = this.#epc;
    for (const cpu of cpus) {
      if (cpu.entry?.enclave !== enclave) continue;
      if (cpu.isInside) machine.run(cpu.thread, cpu.exitAsynchronously());
      cpu.entry = null;
    }
    for (const { mm } of this.#processes.values()) {
      machine.run(
        this.#cpu(step).thread,
        driver.mapper.unmap(this.#cpu(step).thread, mm, enclave, 0, enclave.pageCount),
      );
      mm.forget(enclave.id);
    }
    machine.run(this.#cpu(step).thread, driver.mapper.closeFile(this.#cpu(step).thread, enclave));
    if (!enclave.isReleased) return { r: 'STILL_OPEN' };
    this.#enclaves.delete(name);
    return { r: 'GONE' };
  }

  #dump(step: StepObject): Played {
    const source = {
      epc: this.#epc,
      names: this.#names,
      recorder: this.#recorder,
      enclaves: this.#enclaves,
      processes: this.#processes,
    };
    return { r: 0, dump: dump(source, text(step, 'what', '') === 'all') };
  }

  /** A call into the kernel by the step's process on the step's CPU. */
  #call<T>(step: StepObject, name: string, routine: (cpu: UserCpu) => Routine<T>): T {
    const cpu = this.#cpu(step);
    const { machine } = this.#epc;
    machine.run(cpu.thread, cpu.enterKernel(this.#process(step, name)));
    return machine.run(cpu.thread, routine(cpu));
  }

  #cpu(step: StepObject): UserCpu {
    const id = number(step, 'cpu', 0);
    const cpu = this.#epc.cpus[id];
    if (cpu !== undefined) return cpu;
    throw new MisuseError(`There is no CPU ${id}.`, [`CPUs: 0 … ${this.#epc.cpus.length - 1}`]);
  }

  #enclave(name: string): Enclave {
    const enclave = this.#enclaves.get(name);
    if (enclave !== undefined) return enclave;
    throw new MisuseError(`There is no enclave '${name}'.`, [
      `open: ${[...this.#enclaves.keys()].join(', ') || 'none'}`,
    ]);
  }

  #processName(step: StepObject, enclave: string): string {
    return text(step, 'proc', this.#openers.get(enclave) ?? enclave);
  }

  #process(step: StepObject, enclave: string): Process {
    const name = this.#processName(step, enclave);
    let process = this.#processes.get(name);
    if (process === undefined) {
      process = this.#epc.createProcess(name);
      this.#processes.set(name, process);
      this.#names.setProcess(process.mm.id, name);
    }
    return process;
  }
}

/** `0` or the name of an errno. */
function errnoWord(result: number): number | string {
  return result === 0 ? 0 : (errnoNames[-result] ?? `errno ${-result}`);
}

/** `"rwx"` as bits. */
function protOf(letters: string): number {
  let prot = 0;
  if (letters.includes('r')) prot |= Prot.R;
  if (letters.includes('w')) prot |= Prot.W;
  if (letters.includes('x')) prot |= Prot.X;
  return prot;
}
