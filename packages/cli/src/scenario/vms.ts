import { createRandom } from '@epckit/trace';
import { type PresetName, presets, type ScenarioGuestEnclave, type ScenarioVm } from 'epckit';
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

/** Names the trace of an enclave of a guest, whether it is a file or made. */
function guestTraceName({ trace, generator }: GuestEnclaveFile, place: string, index: number): string {
  return trace ?? `generated: ${generator?.kind ?? ''}, ${place}, enclave ${index}`;
}

/** The generators of guests by the names that stand for their traces. */
export function vmGenerators(file: ScenarioFile, seed: number): Map<string, Generator> {
  const generators = new Map<string, Generator>();
  for (const [index, instances] of placeVms(file.vms, 0).entries()) {
    const { enclaves } = file.vms[index] as VmFile;
    for (const { place } of instances) {
      for (const [at, enclave] of enclaves.entries()) {
        if (enclave.generator === undefined) continue;
        const drawn = createRandom(seed, `trace of ${place}, enclave ${at}`).nextUint32();
        generators.set(guestTraceName(enclave, place, at), { ...enclave.generator, seed: drawn });
      }
    }
  }
  return generators;
}

/** Virtual CPU of each thread of each enclave: as given, or behind those of the enclaves before it. */
function placeGuestThreads(vm: VmFile): readonly (readonly number[])[] {
  const count = vcpuCount(vm);
  let next = 0;
  return vm.enclaves.map(({ threads, vcpu }) => {
    const first = vcpu ?? next % count;
    next = first + threads;
    return Array.from({ length: threads }, (_, thread) => (first + thread) % count);
  });
}

/** Spells out every default of the virtual machines of a file. @param next - first CPU that enclaves leave */
export function resolveVms(file: ScenarioFile, next: number, seed: number): readonly ScenarioVm[] {
  return placeVms(file.vms, next).flatMap((instances, index) =>
    instances.map((instance) => resolveVm(file, file.vms[index] as VmFile, instance, seed)),
  );
}

function resolveVm(
  { costs }: ScenarioFile,
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
    cgroup: vm.cgroup ?? null,
    enclaves: vm.enclaves.map((enclave, index): ScenarioGuestEnclave => {
      const { runs, repeat, deal, measured, start, startJitter, stop } = enclave;
      const drawn = createRandom(seed, `start of ${place}, enclave ${index}`).nextFloat();
      const jitter = Math.floor(drawn * durationToCycles(startJitter, costs.clockGhz));
      return {
        name: enclave.name,
        trace: guestTraceName(enclave, place, index),
        runs: runs ?? null,
        ...{ repeat, deal, measured },
        vcpus: threads[index] as readonly number[],
        startCycles: durationToCycles(start, costs.clockGhz) + jitter,
        stopCycles: stop === undefined ? null : durationToCycles(stop, costs.clockGhz),
      };
    }),
  };
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
