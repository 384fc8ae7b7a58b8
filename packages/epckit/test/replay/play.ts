import { checkEnclaves } from '@epckit/enclave';
import { checkVepc } from '@epckit/vepc';
import type { Epc, Preset, ScriptStep, StepRecord } from '../../src/index.js';
import { replayScript } from '../../src/index.js';

/** What a played script gave. */
export interface PlayedScript {
  /** Record of each step. */
  readonly records: readonly StepRecord[];
  /** Result of each step. */
  readonly results: readonly unknown[];
  /** Rules that were broken after some step, each once. */
  readonly broken: readonly string[];
  /** The stack after the last step. */
  readonly epc: Epc;
}

/** Plays steps after a boot on a machine of 64 pages and three CPUs; daemon and threads do nothing by themselves. */
export function play(steps: readonly ScriptStep[], machine: object = {}, preset: Preset = {}): PlayedScript {
  const base = {
    nodes: [{}],
    cpus: [{ node: 0 }, { node: 0 }, { node: 0 }],
    sections: [{ node: 0, pages: 64 }],
    ksgxd: 'manual',
    resume: 'manual',
  } as const;
  const isBooted = steps.some((step) => 'op' in step && step.op === 'boot');
  const all = isBooted ? steps : [{ op: 'boot' }, ...steps];
  const script = { format: 1, name: 'test', machine: { ...base, ...machine }, steps: all } as const;
  const broken = new Set<string>();
  let last: Epc | null = null;
  const afterStep = (epc: Epc): void => {
    last = epc;
    const found = checkEnclaves(epc.driver, epc.frames, epc.hardware, epc.hasLostPower);
    const foundOfGuests = epc.vepc === null ? [] : checkVepc(epc.vepc, epc.frames, epc.hardware);
    for (const { rule } of [...found, ...foundOfGuests]) broken.add(rule);
  };
  const records: StepRecord[] = [];
  for (const { record, unsupported } of replayScript(script, { afterStep, preset })) {
    if (unsupported !== undefined) throw new Error(`unsupported: ${unsupported}`);
    records.push(record);
  }
  if (!isBooted) records.shift();
  const results = records.map((record) => record['r']);
  return { records, results, broken: [...broken].sort(), epc: last as unknown as Epc };
}

/** Builds and maps an enclave of `count` pages. */
export function build(encl: string, count: number, cpu = 0): readonly ScriptStep[] {
  return [
    { op: 'create', encl, size_pages: 64, cpu },
    { op: 'add', encl, page: 0, count, cpu },
    { op: 'init', encl, cpu },
    { op: 'map', encl, cpu },
  ];
}

/** Events of a record. */
export function events(record: StepRecord | undefined): readonly unknown[] {
  return (record?.['ev'] ?? []) as readonly unknown[];
}

/** Makes the next call fail. */
export function fail(what: string, after = 0): ScriptStep {
  return { op: 'inject', what, after };
}

/** Makes the next execution of a leaf fail. */
export function failLeaf(leaf: string, ret: string | number, after = 0): ScriptStep {
  return { op: 'inject', what: 'encls', leaf, ret, after };
}
