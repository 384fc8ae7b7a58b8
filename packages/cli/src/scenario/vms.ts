import { createRandom } from '@epckit/trace';
import {
  type PresetName,
  presets,
  type ScenarioGuestEnclave,
  type ScenarioGuestThread,
  type ScenarioVm,
} from 'epckit';
import { durationToCycles } from './duration.js';
import type { Generator } from './resolve.js';
import type { ScenarioFile } from './schema.js';
import type { GuestEnclaveFile, VmFile } from './vm-schema.js';

/** One of the virtual machines that an entry of the list stands for. */
export interface VmInstance {
  /** Name in the report. */
  readonly name: string;
  /** Names its random streams and generated traces. */
  readonly place: string;
  /** CPU of each of its virtual CPUs. */
  readonly cpus: readonly number[];
}

/** Virtual CPUs of each virtual machine of an entry. */
export function vcpuCount({ vcpus, cpus }: VmFile): number {
  return vcpus ?? cpus?.length ?? 1;
}

/** The virtual machines of each entry of the list, on the CPUs behind those before them. @param next - first CPU */
export function placeVms(vms: readonly VmFile[], next: number): readonly (readonly VmInstance[])[] {
  let first = next;
  return vms.map((vm, index) => {
    const count = vcpuCount(vm);
    return Array.from({ length: vm.instances }, (_, at): VmInstance => {
      const cpus = vm.cpus ?? Array.from({ length: count }, (_cpu, vcpu) => first + vcpu);
      if (vm.cpus === undefined) first += count;
      return {
        name: vm.instances === 1 ? vm.name : `${vm.name} ${at}`,
        place: at === 0 ? `vm ${index}` : `vm ${index}.${at}`,
        cpus,
      };
    });
  });
}

/** Who replays references of its own: an enclave of a guest, or one of its threads. */
type Replayer = Pick<GuestEnclaveFile, 'trace' | 'generator'>;

/** Names the trace of a replayer, whether it is a file or made. */
function guestTraceName({ trace, generator }: Replayer, place: string): string {
  return trace ?? `generated: ${generator?.kind ?? ''}, ${place}`;
}

/** Whoever replays references of its own in an enclave of a guest, and what names its trace. */
function replayersOf(enclave: GuestEnclaveFile, place: string): readonly (readonly [Replayer, string])[] {
  const { threads } = enclave;
  if (typeof threads !== 'object') return [[enclave, place]];
  return threads.map((thread, index) => [thread, `${place}, thread ${index}`]);
}

/** Threads of an enclave of a guest. */
function guestThreadCount({ threads, vcpus }: GuestEnclaveFile): number {
  return typeof threads === 'object' ? threads.length : (threads ?? vcpus?.length ?? 1);
}

/** The generators of guests by the names that stand for their traces. */
export function vmGenerators(file: ScenarioFile, seed: number): Map<string, Generator> {
  const generators = new Map<string, Generator>();
  for (const [index, instances] of placeVms(file.vms, 0).entries()) {
    const { enclaves } = file.vms[index] as VmFile;
    for (const { place } of instances) {
      const replayers = enclaves.flatMap((enclave, at) => replayersOf(enclave, `${place}, enclave ${at}`));
      for (const [replayer, own] of replayers) {
        if (replayer.generator === undefined) continue;
        const drawn = createRandom(seed, `trace of ${own}`).nextUint32();
        generators.set(guestTraceName(replayer, own), { ...replayer.generator, seed: drawn });
      }
    }
  }
  return generators;
}

/** Virtual CPU of each thread of each enclave: as given, or behind those of the enclaves before it. */
function placeGuestThreads(vm: VmFile): readonly (readonly number[])[] {
  const count = vcpuCount(vm);
  let next = 0;
  return vm.enclaves.map((enclave) => {
    const { threads, vcpu, vcpus } = enclave;
    const first = vcpu ?? next % count;
    const own = typeof threads === 'object' ? threads.map((thread) => thread.vcpu) : vcpus;
    const placed = Array.from({ length: guestThreadCount(enclave) }, (_, thread) => {
      return own?.[thread] ?? (first + thread) % count;
    });
    next = (placed.at(-1) as number) + 1;
    return placed;
  });
}

/** Spells out every default of the virtual machines of a file. @param next - first CPU that enclaves leave */
export function resolveVms(file: ScenarioFile, next: number, seed: number): readonly ScenarioVm[] {
  return placeVms(file.vms, next).flatMap((instances, index) =>
    instances.map((instance) => resolveVm(file, file.vms[index] as VmFile, instance, seed)),
  );
}

function resolveVm(
  { costs, preset }: ScenarioFile,
  vm: VmFile,
  { name, place, cpus }: VmInstance,
  seed: number,
): ScenarioVm {
  const { batch, low, high } = vm.reclaim;
  const threads = placeGuestThreads(vm);
  return {
    name,
    cpus,
    sections: sectionsOfVm(vm),
    reclaim: { batchPages: batch, lowPages: low, highPages: high },
    kernel: vm.kernel ?? (preset === 'epckit' ? 'epckit' : 'linux-6'),
    migrateCycles: vm.migrations.map((time) => durationToCycles(time, costs.clockGhz)).sort((a, b) => a - b),
    cgroup: vm.cgroup ?? null,
    enclaves: vm.enclaves.map((enclave, index): ScenarioGuestEnclave => {
      const { runs, repeat, deal, measured, buildCost, start, startJitter, stop } = enclave;
      const own = `${place}, enclave ${index}`;
      const drawn = createRandom(seed, `start of ${own}`).nextFloat();
      const jitter = Math.floor(drawn * durationToCycles(startJitter, costs.clockGhz));
      return {
        name: enclave.name,
        ...resolveGuestThreads(enclave, own, threads[index] as readonly number[], costs.clockGhz),
        runs: runs ?? null,
        ...{ repeat, deal, measured, buildCost },
        startCycles: durationToCycles(start, costs.clockGhz) + jitter,
        stopCycles: stop === undefined ? null : durationToCycles(stop, costs.clockGhz),
      };
    }),
  };
}

/** The threads of an enclave of a guest: with one trace to share, or with one each. */
function resolveGuestThreads(
  enclave: GuestEnclaveFile,
  place: string,
  vcpus: readonly number[],
  clockGhz: number,
): Pick<ScenarioGuestEnclave, 'trace' | 'vcpus' | 'moreThreads' | 'enterCycles'> {
  const { threads } = enclave;
  const names = replayersOf(enclave, place).map(([replayer, own]) => guestTraceName(replayer, own));
  const trace = names[0] as string;
  if (typeof threads !== 'object') return { trace, vcpus };
  const [first, ...moreThreads] = threads.map(({ start }, index): Required<ScenarioGuestThread> => {
    const startCycles = durationToCycles(start, clockGhz);
    return { trace: names[index] as string, vcpu: vcpus[index] as number, startCycles };
  });
  return { trace, vcpus: vcpus.slice(0, 1), enterCycles: first?.startCycles ?? 0, moreThreads };
}

/** EPC sections of a guest, in pages. */
function sectionsOfVm({ epc, qemu }: VmFile): ScenarioVm['sections'] {
  if (qemu !== undefined) {
    return qemu.map(({ pageCount, node, isPreallocated }) => ({ pageCount, node, isPreallocated }));
  }
  return (epc ?? []).map(({ size, node, prealloc }) => {
    return { pageCount: size, node, isPreallocated: prealloc === 'on' };
  });
}

/** Does the host reclaim pages of guests? */
export function hasHostReclaim({
  hostReclaim,
  preset,
}: Pick<ScenarioFile, 'hostReclaim' | 'preset'>): boolean {
  return hostReclaim === undefined ? canReclaimGuests(preset) : hostReclaim === 'on';
}

/** Has the preset host reclaim of guest pages? */
export function canReclaimGuests(preset: PresetName): boolean {
  const { guestReclaim = false } = presets[preset] as { readonly guestReclaim?: boolean };
  return guestReclaim;
}
