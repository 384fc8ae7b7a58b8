import type { NodeId } from '@epckit/interface';
import type { Epc } from '../create-epc.js';
import { createEpc } from '../create-epc.js';
import { Names } from './names.js';
import { Players } from './players.js';
import { Recorder } from './recorder.js';
import type { ReplayedStep, Script, ScriptMachine, StepRecord } from './script.js';
import { longForm } from './step.js';

/** What a replay may be told besides the script. */
export interface ReplayOptions {
  /** Called after each step, such as a check of invariants. */
  readonly afterStep?: (epc: Epc, step: ReplayedStep) => void;
}

/**
 * Performs a script step by step in the direct world and yields what each step did.
 *
 * @throws MisuseError for a machine or a step that cannot be
 */
export function* replayScript(script: Script, options: ReplayOptions = {}): Generator<ReplayedStep> {
  const recorder = new Recorder(script.machine);
  const epc = createScriptEpc(script.machine, recorder);
  const names = new Names(epc.frames);
  recorder.names = names;
  const players = new Players(epc, names, recorder);
  const counters = new Counters(epc, script.machine);
  for (const [index, step] of script.steps.entries()) {
    const object = longForm(step);
    const unsupported = players.unsupported(object);
    const played = unsupported === null ? players.play(object) : {};
    if (object.op !== 'ksgxd') epc.machine.returnToUser();
    const { events, wakes } = recorder.take();
    const record: StepRecord = {
      ...played,
      ...(events.length > 0 ? { ev: events } : {}),
      ...(wakes > 0 ? { wakes } : {}),
      ...counters.changed(),
    };
    const replayed: ReplayedStep =
      unsupported === null ? { index, step, record } : { index, step, record: {}, unsupported };
    options.afterStep?.(epc, replayed);
    yield replayed;
  }
}

function createScriptEpc(machine: ScriptMachine, recorder: Recorder): Epc {
  const epc = createEpc({
    machine: {
      cpus: machine.cpus,
      sections: machine.sections.map(({ node, pages, bad_type }) => {
        return { node, pageCount: pages, isBadType: bad_type ?? false };
      }),
    },
    probe: recorder,
    resume: machine.resume ?? 'auto',
    tcsState: false,
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
