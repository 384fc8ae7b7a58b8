import type { Enclave } from '@epckit/enclave';
import type { Routine } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Vepc } from '@epckit/vepc';
import type { Epc } from '../../create-epc.js';
import type { InjectedFailures } from '../../failures/injected-failures.js';
import type { Process } from '../../process.js';
import type { UserCpu } from '../../user-cpu.js';
import type { Names } from '../names.js';
import type { Recorder } from '../recorder.js';
import type { ScriptMachine } from '../script.js';
import type { StepObject } from '../step.js';
import { integer, text } from '../step.js';

/** What a context is made of. */
export interface PlayParts {
  /** The stack. */
  readonly epc: Epc;
  /** Names of things in records. */
  readonly names: Names;
  /** Collects the events. */
  readonly recorder: Recorder;
  /** Failures of the stack. */
  readonly failures: InjectedFailures;
  /** Machine of the script. */
  readonly machine: ScriptMachine;
  /** Runs routines; null: the direct world does. */
  readonly execute: Execute | null;
}

/** Runs a routine on a thread to its end, and whatever else the thread's step makes run. @returns its result */
export type Execute = (epc: Epc, thread: MachineThread, routine: Routine<unknown>) => unknown;

/** What the operations of a script share: the stack, and what the script has made on it. */
export class PlayContext implements PlayParts {
  readonly epc: Epc;
  readonly names: Names;
  readonly recorder: Recorder;
  readonly failures: InjectedFailures;
  readonly machine: ScriptMachine;
  readonly execute: Execute | null;
  /** Open enclaves by name. */
  readonly enclaves = new Map<string, Enclave>();
  /** Enclaves that were released, by name: nobody maps them any more. */
  readonly gone = new Map<string, Enclave>();
  /** Open instances of virtual EPC by name. */
  readonly vepcs = new Map<string, Vepc>();
  /** Processes with a descriptor of the instance, by its name. */
  readonly vepcHolders = new Map<string, Set<Process>>();
  /** Processes by name. */
  readonly processes = new Map<string, Process>();
  /** Name of the process that opened each enclave and instance. */
  readonly openers = new Map<string, string>();
  /** Process of the thread that entered an enclave last, by CPU. */
  readonly entrants = new Map<number, Process>();
  /** Has the boot succeeded? */
  isBooted = false;

  constructor(parts: PlayParts) {
    this.epc = parts.epc;
    this.names = parts.names;
    this.recorder = parts.recorder;
    this.failures = parts.failures;
    this.machine = parts.machine;
    this.execute = parts.execute;
  }

  /** Runs a routine on a CPU's thread to its end. */
  run<T>(cpu: UserCpu, routine: Routine<T>): T {
    if (this.execute === null) return this.epc.machine.run(cpu.thread, routine);
    return this.execute(this.epc, cpu.thread, routine) as T;
  }

  /** A call into the kernel by the step's process on the step's CPU, about enclave `name`. */
  call<T>(step: StepObject, name: string, routine: (cpu: UserCpu, process: Process) => Routine<T>): T {
    const cpu = this.cpu(step);
    const process = this.process(step, name);
    this.run(cpu, cpu.enterKernel(process));
    return this.run(cpu, routine(cpu, process));
  }

  /** CPU of a step. @throws MisuseError if there is none */
  cpu(step: StepObject): UserCpu {
    const id = integer(step, 'cpu', 0);
    const cpu = this.epc.cpus[id];
    if (cpu !== undefined) return cpu;
    throw new MisuseError(`There is no CPU ${id}.`, [`CPUs: 0 … ${this.epc.cpus.length - 1}`]);
  }

  /** Opens the device for a new enclave. @returns the enclave, or the name of an errno */
  open(step: StepObject, name: string): Enclave | string {
    if (this.enclaves.has(name)) throw new MisuseError(`Enclave '${name}' is open already.`);
    if (this.machine.launch_control === false) return 'ENODEV';
    this.openers.set(name, text(step, 'proc', name));
    const process = this.process(step, name);
    const cpu = this.cpu(step);
    this.run(cpu, cpu.enterKernel(process));
    if (this.failures.fails('kmalloc')) return 'ENOMEM';
    const enclave = this.epc.processes.open(process);
    this.gone.delete(name);
    this.enclaves.set(name, enclave);
    this.names.setEnclave(enclave.id, name);
    return enclave;
  }

  /** Open enclave by name. @throws MisuseError if there is none */
  enclave(name: string): Enclave {
    const enclave = this.enclaves.get(name);
    if (enclave !== undefined) return enclave;
    throw new MisuseError(`There is no enclave '${name}'.`, [
      `open: ${[...this.enclaves.keys()].join(', ') || 'none'}`,
    ]);
  }

  /** Open instance of virtual EPC by name. @throws MisuseError if there is none */
  vepc(name: string): Vepc {
    const vepc = this.vepcs.get(name);
    if (vepc !== undefined) return vepc;
    throw new MisuseError(`There is no virtual EPC '${name}'.`, [
      `open: ${[...this.vepcs.keys()].join(', ') || 'none'}`,
    ]);
  }

  /** Enclave by name for an access, which also finds one that is gone. @throws MisuseError if there was none */
  accessed(name: string): Enclave {
    return this.gone.get(name) ?? this.enclave(name);
  }

  /** Name of the step's process: by default the one that opened the enclave. */
  processName(step: StepObject, enclave: string): string {
    return text(step, 'proc', this.openers.get(enclave) ?? enclave);
  }

  /** Process of a step; made when it is named for the first time. */
  process(step: StepObject, enclave: string): Process {
    const name = this.processName(step, enclave);
    return this.processes.get(name) ?? this.addProcess(this.epc.createProcess(name));
  }

  /** A process has been made. @throws MisuseError if there is one of its name */
  addProcess(process: Process): Process {
    if (this.processes.has(process.name)) throw new MisuseError(`Process '${process.name}' exists already.`);
    this.processes.set(process.name, process);
    this.names.setProcess(process.mm.id, process.name);
    return process;
  }

  /** The end of a step: late callbacks run, what is gone loses its name, kernel threads run. */
  endStep(): void {
    const { processes, cpus, machine } = this.epc;
    const cpu = cpus[0] as UserCpu;
    if (processes.hasLate) this.run(cpu, processes.dropLate(cpu.thread));
    for (const [name, enclave] of this.enclaves) {
      if (!enclave.isReleased) continue;
      this.enclaves.delete(name);
      this.gone.set(name, enclave);
    }
    machine.returnToUser();
  }
}
