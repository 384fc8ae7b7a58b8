import { formatPath, type KeyPath } from './key-path.js';
import { cpuNodesOf, placeThreads } from './placement.js';
import { plural } from './plural.js';
import type { Problem } from './problem.js';
import type { ScenarioFile } from './schema.js';
import { checkSource } from './sources.js';
import type { VmFile } from './vm-schema.js';
import { canReclaimGuests, placeVms, vcpuCount } from './vms.js';

/** Finds virtual machines that contradict themselves, or the rest of the scenario. */
export function vmChecks(file: ScenarioFile): Problem[] {
  return [
    ...checkPresence(file),
    ...checkHostReclaim(file),
    ...checkVmNames(file),
    ...file.vms.flatMap((vm, index) => checkVm(vm, ['vms', index])),
    ...checkPlaces(file),
  ];
}

/** There must be something to run. */
function checkPresence({ enclaves, vms }: ScenarioFile): Problem[] {
  if (enclaves.length + vms.length > 0) return [];
  const hint = 'Add it: the enclaves, each with a trace of what its program touches. Or vms with enclaves.';
  return [{ path: ['enclaves'], at: 'value', message: 'enclaves is missing.', hint }];
}

function checkHostReclaim({ vms, hostReclaim, preset }: ScenarioFile): Problem[] {
  if (hostReclaim === undefined) return [];
  if (vms.length === 0) {
    const message = 'hostReclaim is given, but the scenario has no vms.';
    return [{ path: ['hostReclaim'], at: 'key', message, hint: 'Add vms, or leave hostReclaim out.' }];
  }
  if (hostReclaim === 'off' || canReclaimGuests(preset)) return [];
  const message = `hostReclaim is on, but preset ${preset} takes nothing from guests.`;
  const hint = 'Presets with host reclaim: epckit, kvm-oversub.';
  return [{ path: ['hostReclaim'], at: 'value', message, hint }];
}

/** Names are unique among virtual machines and enclaves of the host. */
function checkVmNames({ vms, enclaves }: ScenarioFile): Problem[] {
  const names = placeVms(vms, 0).map((instances) => instances.map(({ name }) => name));
  const path = (index: number) => ['vms', index, 'name'];
  return names.flatMap((own, index): Problem[] => {
    const hint = 'Give each virtual machine a name of its own.';
    const other = names.findIndex((others) => others.some((name) => own.includes(name)));
    const enclave = enclaves.findIndex(({ name }) => own.includes(name));
    const place = other < index ? `vms[${other}]` : enclave >= 0 ? `enclaves[${enclave}]` : null;
    if (place === null) return [];
    const message = `vms[${index}].name is "${vms[index]?.name}", as that of ${place}.`;
    return [{ path: path(index), at: 'value', message, hint }];
  });
}

function checkVm(vm: VmFile, path: KeyPath): Problem[] {
  return [
    ...checkEpc(vm, path),
    ...checkCpuKeys(vm, path),
    ...checkMarks(vm, path),
    ...checkGuestNames(vm, path),
    ...vm.enclaves.flatMap((enclave, index) => {
      return checkSource(enclave, [...path, 'enclaves', index]);
    }),
    ...checkGuestThreads(vm, path),
  ];
}

function checkEpc({ epc, qemu }: VmFile, path: KeyPath): Problem[] {
  const name = formatPath(path);
  if (epc === undefined && qemu === undefined) {
    const hint = 'Add epc, such as [{ size: 64MiB }], or qemu with the options of its command line.';
    return [{ path, at: 'value', message: `${name} has no EPC.`, hint }];
  }
  if (epc === undefined || qemu === undefined) return [];
  const message = `${name}.qemu and ${name}.epc exclude each other.`;
  return [{ path: [...path, 'qemu'], at: 'key', message, hint: 'Keep one of them.' }];
}

/** vcpus and cpus say the same in different ways; a list is for one virtual machine. */
function checkCpuKeys({ vcpus, cpus, instances }: VmFile, path: KeyPath): Problem[] {
  if (cpus === undefined) return [];
  const name = formatPath(path);
  const at = [...path, 'cpus'];
  if (instances > 1) {
    const message = `${name}.instances is ${instances}, but ${name}.cpus lists the CPUs of one.`;
    return [{ path: at, at: 'key', message, hint: 'Give vcpus instead, or an entry per virtual machine.' }];
  }
  if (vcpus === undefined || vcpus === cpus.length) return [];
  const message = `${name}.cpus lists ${plural(cpus.length, 'CPU')} for ${plural(vcpus, 'virtual CPU')}.`;
  return [{ path: at, at: 'value', message, hint: 'Give each virtual CPU a CPU, or leave vcpus out.' }];
}

function checkMarks({ reclaim: { low, high } }: VmFile, path: KeyPath): Problem[] {
  if (low <= high) return [];
  const name = formatPath([...path, 'reclaim']);
  const message = `${name}.low (${low} pages) is above ${name}.high (${high} pages).`;
  const hint = 'The daemon of the guest works until high is reached; give low ≤ high.';
  return [{ path: [...path, 'reclaim', 'low'], at: 'value', message, hint }];
}

function checkGuestNames({ enclaves }: VmFile, path: KeyPath): Problem[] {
  return enclaves.flatMap(({ name }, index): Problem[] => {
    const first = enclaves.findIndex((other) => other.name === name);
    if (first === index) return [];
    const own = [...path, 'enclaves', index, 'name'];
    const message = `${formatPath(own)} is "${name}", as that of ${formatPath([...path, 'enclaves', first])}.`;
    return [{ path: own, at: 'value', message, hint: 'Give each enclave of a guest a name of its own.' }];
  });
}

/** Threads are on different virtual CPUs that exist. */
function checkGuestThreads(vm: VmFile, path: KeyPath): Problem[] {
  const count = vcpuCount(vm);
  return vm.enclaves.flatMap(({ threads, vcpu }, index): Problem[] => {
    const own = [...path, 'enclaves', index];
    const name = formatPath(own);
    const has = `the guest has ${plural(count, 'virtual CPU')}`;
    if (vcpu !== undefined && vcpu >= count) {
      const message = `${name}.vcpu is ${vcpu}, but ${has}.`;
      return [
        { path: [...own, 'vcpu'], at: 'value', message, hint: `Give 0 to ${count - 1}, or more vcpus.` },
      ];
    }
    if (threads <= count) return [];
    const message = `${name}.threads is ${threads}, but ${has}.`;
    return [{ path: [...own, 'threads'], at: 'value', message, hint: 'Give the guest as many vcpus.' }];
  });
}

/** Every virtual CPU has a CPU that exists, for itself. @returns the first problem */
function checkPlaces(file: ScenarioFile): Problem[] {
  const native = placeThreads(file.enclaves).flat();
  const cpuCount = cpuNodesOf(file.machine).length;
  const taken = new Map<number, string>(native.map((cpu) => [cpu, 'an enclave of the host']));
  for (const [index, instances] of placeVms(file.vms, nextCpu(native)).entries()) {
    const path = ['vms', index, ...(file.vms[index]?.cpus === undefined ? [] : ['cpus'])];
    for (const { name, cpus } of instances) {
      for (const cpu of cpus) {
        const problem = checkPlace(name, cpu, cpuCount, taken.get(cpu));
        if (problem !== null) {
          const message = `${formatPath(path)}: ${problem.message}`;
          return [{ path, at: 'value', message, hint: problem.hint }];
        }
        taken.set(cpu, `a virtual CPU of "${name}"`);
      }
    }
  }
  return [];
}

/** @param other - who is on the CPU already */
function checkPlace(
  name: string,
  cpu: number,
  cpuCount: number,
  other: string | undefined,
): Pick<Problem, 'message' | 'hint'> | null {
  const says = `a virtual CPU of "${name}" is on CPU ${cpu}`;
  const hint = 'Every virtual CPU has a CPU of its own.';
  if (cpu >= cpuCount) {
    const message = `${says}, but the machine has ${plural(cpuCount, 'CPU')}.`;
    return { message, hint: `Raise machine.cpus. ${hint}` };
  }
  return other === undefined ? null : { message: `${says}, where ${other} is, too.`, hint };
}

/** First CPU behind those that enclaves of the host are on. */
export function nextCpu(cpus: readonly number[]): number {
  return cpus.reduce((next, cpu) => Math.max(next, cpu + 1), 0);
}
