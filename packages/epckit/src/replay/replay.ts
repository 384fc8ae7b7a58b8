import type { NodeId } from '@epckit/interface';
import { discoverSections } from '@epckit/numa';
import type { Epc } from '../create-epc.js';
import { createEpc } from '../create-epc.js';
import { failingHardware } from '../failures/failing-hardware.js';
import { InjectedFailures } from '../failures/injected-failures.js';
import type { Preset } from '../presets.js';
import { checkScriptFrame } from './check-machine.js';
import { Names } from './names.js';
import type { Execute } from './players/context.js';
import { PlayContext } from './players/context.js';
import { Players } from './players/players.js';
import { PREEMPT_KEYS, Preemption } from './preemption.js';
import { Recorder } from './recorder.js';
import type { ReplayedStep, Script, ScriptMachine, ScriptStep, StepRecord } from './script.js';
import { notingSecInfo } from './secinfo-notes.js';
import type { StepObject } from './step.js';
import { longForm } from './step.js';

/** What a replay may be told besides the script. */
export interface ReplayOptions {
  /** Called after each step, such as a check of invariants. Not for a machine without EPC: it has no stack. */
  readonly afterStep?: (epc: Epc, step: ReplayedStep) => void;
  /** Recipes of the system that plays the script; the machine is the script's. Default: Linux 6.12. */
  readonly preset?: Preset;
  /** Runs the routines of the steps, such as in the timed world. Default: the direct world. */
  readonly execute?: Execute;
}

/**
 * Performs a script step by step and yields what each step did.
 *
 * @throws MisuseError for a machine or a step that cannot be
 */
export function* replayScript(script: Script, options: ReplayOptions = {}): Generator<ReplayedStep> {
  checkScriptFrame(script);
  const refusal = bootRefusal(script.machine);
  if (refusal !== null) {
    yield* replayWithoutEpc(script, refusal);
    return;
  }
  const replay = new Replay(script.machine, options.preset ?? {}, options.execute ?? null);
  for (const [index, step] of script.steps.entries()) {
    const unsupported = replay.unsupported(step);
    const replayed: ReplayedStep =
      unsupported === null
        ? { index, step, record: replay.perform(step) }
        : { index, step, record: {}, unsupported };
    options.afterStep?.(replay.epc, replayed);
    yield replayed;
  }
}

/** Why the driver does not start at all (Linux `sgx_init`), or null. */
function bootRefusal(machine: ScriptMachine): string | null {
  if (machine.sgx === false) return 'ENODEV';
  const hasDevice = (machine.launch_control ?? true) || (machine.vmx ?? true);
  if (discoverSections(sectionsOf(machine)).sections.length === 0) return 'ENOMEM';
  // Neither /dev/sgx_enclave nor /dev/sgx_vepc: init undoes everything.
  return hasDevice ? null : 'ENODEV';
}

/** There is no device: nothing but the failing boot can be played. */
function* replayWithoutEpc(script: Script, refusal: string): Generator<ReplayedStep> {
  for (const [index, step] of script.steps.entries()) {
    const { op } = longForm(step);
    if (op === 'boot') yield { index, step, record: { r: refusal, sections: 0, total: [] } };
    else yield { index, step, record: {}, unsupported: `${op} without EPC` };
  }
}

function sectionsOf(machine: ScriptMachine) {
  return machine.sections.map(({ node, pages, bad_type }) => {
    return { node, pageCount: pages, isBadType: bad_type ?? false };
  });
}

/** A script's machine and what plays the steps on it. */
class Replay {
  readonly epc: Epc;
  readonly #context: PlayContext;
  readonly #players: Players;
  readonly #recorder: Recorder;
  readonly #counters: Counters;
  /** Preemption that the next step is played under. */
  #armed: Preemption | null = null;

  constructor(machine: ScriptMachine, preset: Preset, execute: Execute | null) {
    const recorder = new Recorder(machine);
    const failures = new InjectedFailures();
    this.epc = createScriptEpc(machine, preset, recorder, failures);
    const names = new Names(this.epc.frames);
    recorder.names = names;
    this.#recorder = recorder;
    this.#context = new PlayContext({ epc: this.epc, names, recorder, failures, machine, execute });
    this.#players = new Players(this.#context);
    this.#counters = new Counters(this.epc, machine);
  }

  /** What of the step is not supported, or null. */
  unsupported(step: ScriptStep): string | null {
    const object = longForm(step);
    if (object.op !== 'preempt') return this.#players.unsupported(object);
    const unknown = Object.keys(object).find((key) => key !== 'op' && !PREEMPT_KEYS.includes(key));
    if (unknown !== undefined) return `preempt with '${unknown}'`;
    for (const inner of this.#preemption(object).steps) {
      const unsupported = this.unsupported(inner);
      if (unsupported !== null) return unsupported;
    }
    return null;
  }

  /** Plays a step. @returns its record */
  perform(step: ScriptStep): StepRecord {
    const object = longForm(step);
    if (object.op === 'preempt') {
      this.#armed = this.#preemption(object);
      return {};
    }
    const armed = this.#armed;
    this.#armed = null;
    let played: StepRecord = {};
    const play = (): void => {
      played = this.#players.play(object);
      // The daemon of `manual` runs by its own step only.
      if (object.op !== 'ksgxd') this.#context.endStep();
    };
    if (armed === null) play();
    else if (!armed.during(play)) played = { ...played, preempt_missed: 1 };
    const { events, wakes } = this.#recorder.take();
    return {
      ...played,
      ...(events.length > 0 ? { ev: events } : {}),
      ...(wakes > 0 ? { wakes } : {}),
      ...(this.#context.isBooted ? this.#counters.changed() : {}),
    };
  }

  #preemption(step: StepObject): Preemption {
    return new Preemption(step, this.epc.machine, this.#recorder, (inner) => {
      this.#recorder.nested(() => this.perform(inner));
    });
  }
}

function createScriptEpc(
  machine: ScriptMachine,
  preset: Preset,
  recorder: Recorder,
  failures: InjectedFailures,
): Epc {
  const epc = createEpc({
    ...preset,
    machine: { cpus: machine.cpus, sections: sectionsOf(machine) },
    probe: recorder,
    resume: machine.resume ?? 'auto',
    tcsState: false,
    dynamicMemory: machine.sgx2 ?? true,
    vmx: machine.vmx ?? true,
    failures,
    hardware: (hardware) => {
      const noting = notingSecInfo(hardware, (secinfo) => recorder.noteSecInfo(secinfo));
      return failingHardware(noting, failures, (leaf, page, result) => {
        recorder.leafInjected(leaf, page, result);
      });
    },
  });
  epc.machine.kernelThreadPolicy = machine.ksgxd === 'manual' ? 'whenTold' : 'atReturnToUser';
  return epc;
}

/** Free pages, in all and per node: part of a record when they changed. */
class Counters {
  readonly #epc: Epc;
  readonly #nodeCount: number;
  #free = -1;
  #nodes = '';

  constructor(epc: Epc, machine: ScriptMachine) {
    this.#epc = epc;
    this.#nodeCount = machine.nodes.length;
  }

  changed(): StepRecord {
    const record: Record<string, unknown> = {};
    const { pools } = this.#epc;
    const nodes = Array.from({ length: this.#nodeCount }, (_, node: NodeId) => {
      return pools.nodes.includes(node) ? pools.freeOnNode(node) : null;
    });
    if (pools.free !== this.#free) record['free'] = pools.free;
    if (JSON.stringify(nodes) !== this.#nodes) record['nodes'] = nodes;
    this.#free = pools.free;
    this.#nodes = JSON.stringify(nodes);
    return record;
  }
}
